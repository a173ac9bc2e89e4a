"""Files that other packages write and read: durable writing, arrays, checked JSON."""
