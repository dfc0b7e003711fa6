"""How files are read: what people have, recognised once, said in a line each, and then read just so."""
