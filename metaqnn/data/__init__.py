"""Pictures and arrays as people have them, and the images that networks are trained on."""
