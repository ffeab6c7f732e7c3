"""Image encoders: images → four stages of maps, each with its cls token if it has one."""
