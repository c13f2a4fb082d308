"""What tasks over sequences of tokens share: the network, its counted rival, and how the next token is drawn."""
