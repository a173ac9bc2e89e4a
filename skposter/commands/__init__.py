"""The commands of :mod:`skposter.cli`, one module each.

A command module has ``SUMMARY`` and ``DESCRIPTION`` for the help, ``add_arguments(parser)``, and
``run(args)``, which prints its results and returns an exit status or None for success.
"""
