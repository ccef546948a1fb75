"""What the three kinds of process say to each other, and how it travels; decides nothing about requests."""
