"""Help, pages for man(1) and completion, all made from the grammar."""
