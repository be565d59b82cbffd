"""The embedded run: AWS and Agora on loopback, and the real template between them."""
