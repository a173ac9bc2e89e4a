"""TensorFlow and Keras without their noise: descriptions of networks, and the pool of traced ones.

Importing this package does not import TensorFlow; its modules but ``forks`` do.
"""
