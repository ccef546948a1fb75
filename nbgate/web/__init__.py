"""What the keeper serves on its two private sockets: the own pages for workers, the control calls for operators."""
