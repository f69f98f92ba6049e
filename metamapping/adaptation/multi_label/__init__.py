"""Several labels a text: tasks whose texts have any number of labels, none included."""
