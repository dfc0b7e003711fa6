"""`python -m streamrnn` is `streamrnn`."""

from streamrnn.app.cli import main

main()
