"""What is recorded and how records hold together. Pure: nothing here writes a file, reads a clock or sends."""
