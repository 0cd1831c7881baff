"""The protocols AWS's services speak, one module each, and what several of them share."""
