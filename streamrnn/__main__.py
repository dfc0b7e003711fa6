"""`python -m streamrnn` is `streamrnn`."""

from streamrnn.cli import main

main()
