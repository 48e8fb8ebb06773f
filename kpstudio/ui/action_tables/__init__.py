"""What the window can do, in tables of values: one module per part of the menus."""
