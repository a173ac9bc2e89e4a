"""A model behind a page and a JSON endpoint, for one machine: :func:`create_app` and :func:`serve`.

`_model` is what is served, `_batching` brings the images of several requests together, `_guard`
looks at requests before anything else does, `_app` answers them, `_server` runs that.
"""

from __future__ import annotations

from skposter.serving._app import create_app
from skposter.serving._guard import Limits
from skposter.serving._server import listen, serve

__all__ = ["Limits", "create_app", "listen", "serve"]
