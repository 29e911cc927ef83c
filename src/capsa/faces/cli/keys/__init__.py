"""How commands come by secrets: passphrases and files that hold them."""
