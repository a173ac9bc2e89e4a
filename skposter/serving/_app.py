"""What is answered: the page, the predictions and heat maps of an upload, what the model is."""

from __future__ import annotations

import asyncio
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from skposter._estimators.spelling import did_you_mean
from skposter._version import __version__
from skposter.serving._batching import Batches, Busy
from skposter.serving._guard import LOCAL_NAMES, Buffered, Guard, Limits, Refused, read_body
from skposter.serving._model import RefusedImage, served

__all__ = ["create_app"]

_PAGE = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_WAITING_HEAT_MAPS = 8


class Score(BaseModel):
    """One label of one image."""

    label: str | int
    probability: float
    threshold: float
    predicted: bool = Field(
        description="The probability reaches the threshold, or is one of the highest of an image "
        "of which fewer do than the model promises."
    )


class Prediction(BaseModel):
    """What the model says of an image."""

    labels: list[str | int] = Field(description="Those predicted, most probable first.")
    scores: list[Score] = Field(description="All labels, most probable first.")


class About(BaseModel):
    """What is served."""

    labels: list[str | int]
    thresholds: list[float]
    min_labels: int
    image_shape: list[int] = Field(description="(height, width, channels) that the network sees.")
    runtime: str
    heat_maps: bool = Field(description="Whether /explain is answered.")
    max_bytes: int = Field(description="Of an upload.")
    skposter_version: str


class Health(BaseModel):
    """The server answers."""

    status: str


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


_UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "The encoded image itself: JPEG, PNG, WebP, GIF, BMP or TIFF, unless the "
        "model's loader takes others. What it is, its content says.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_PROBLEMS: dict = {
    status: {"model": Problem, "description": description}
    for status, description in {
        408: "The upload takes too long.",
        411: "The upload comes in chunks, of which nobody knows how many.",
        413: "The upload is too large.",
        415: "A form, instead of the image itself.",
        422: "The image cannot be loaded.",
        503: "Too much at a time, or it takes too long; try again.",
    }.items()
}


def create_app(model, *, allowed_hosts=(), limits=None):
    """Make an ASGI app that serves a model.

    ``POST /predict`` takes an encoded image as its body and answers with JSON, ``POST
    /explain?label=`` with a heat map as PNG. ``/`` is a page for people, ``/model`` says what is
    served, ``/health`` that it is, and ``/openapi.json`` describes all of it. Nothing that is
    uploaded is kept or written to a disk.

    Parameters
    ----------
    model : estimator or OnnxPredictor
        A fitted pipeline that begins with an ImageLoader, or what wraps one; or what
        :func:`skposter.load_onnx` gives, which has no heat maps.
    allowed_hosts : sequence of str, default=()
        Names by which the server may be called, beside ``localhost``, ``127.0.0.1`` and ``[::1]``.
    limits : Limits, default=None
        What it takes on.

    Returns
    -------
    app : ASGI app
        For uvicorn, with one worker: the model is in it once.

    Raises
    ------
    ValueError
        If the model has no ImageLoader.

    Examples
    --------
    >>> from skposter.serving import create_app
    >>> app = create_app(skposter.load_onnx("model.onnx"))  # doctest: +SKIP
    """
    limits = limits or Limits()
    model = served(model)
    model.warm_up()
    return Guard(_api(model, limits), {*LOCAL_NAMES, *allowed_hosts}, limits)


def _api(model, limits):
    batches = Batches(model.predict, max_waiting=limits.max_requests)
    decoders = ThreadPoolExecutor(os.cpu_count() or 1, "skposter-decode")
    buffered = Buffered(limits.max_buffered)
    by_text = {str(name): name for name in model.label_names}
    page = files("skposter.serving") / "page"
    heat_maps = asyncio.Semaphore(_WAITING_HEAT_MAPS)

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield
        batches.close()
        decoders.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="skposter",
        version=__version__,
        description="Labels of images, with their probabilities.",
        lifespan=lifespan,
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
    )

    @contextlib.asynccontextmanager
    async def upload(request):
        """Give an upload as (content, pixels)."""
        kind = request.headers.get("content-type", "").lower()
        if kind.startswith("multipart/"):
            raise Refused(
                415, "Send the image itself as the body, not a form: curl --data-binary @FILE"
            )
        content = await read_body(request, limits, buffered)
        n_bytes = len(content)
        try:
            async with asyncio.timeout(limits.timeout):
                content = bytes(content)
                loop = asyncio.get_running_loop()
                pixels = await loop.run_in_executor(decoders, model.load, content)
                yield content, pixels
        finally:
            buffered.left += n_bytes

    @app.post("/predict", responses=_PROBLEMS, openapi_extra=_UPLOAD)
    async def predict(request: Request) -> Prediction:
        """Predict the labels of an image."""
        async with upload(request) as (_, pixels):
            y_score, y_pred = await batches.predict(pixels)
        scores = [
            Score(
                label=model.label_names[j],
                probability=float(y_score[j]),
                threshold=float(model.thresholds[j]),
                predicted=bool(y_pred[j]),
            )
            for j in (-y_score).argsort(kind="stable").tolist()
        ]
        return Prediction(labels=[each.label for each in scores if each.predicted], scores=scores)

    @app.post(
        "/explain",
        responses={
            **_PROBLEMS,
            200: {"content": {"image/png": {}}, "description": "The image in grey, with the heat."},
            404: {"model": Problem, "description": "No such label, or no heat maps at all."},
        },
        response_class=Response,
        openapi_extra=_UPLOAD,
    )
    async def explain(request: Request, label: str = Query(description="Which.")) -> Response:
        """Draw the regions of an image that speak for a label."""
        if not model.has_heat_maps:
            raise Refused(404, f"There are no heat maps with {model.runtime} and this model.")
        if label not in by_text:
            raise Refused(404, f"There is no label {label!r}.{did_you_mean(label, by_text)}")
        if heat_maps.locked():
            raise Busy
        async with heat_maps, upload(request) as (content, _):
            picture = await batches.call(model.heat_map, content, by_text[label])
        return Response(picture, media_type="image/png")

    @app.get("/model")
    async def about() -> About:
        """Say what is served."""
        return About(
            labels=model.label_names,
            thresholds=model.thresholds.tolist(),
            min_labels=model.min_labels,
            image_shape=list(model.image_shape),
            runtime=model.runtime,
            heat_maps=model.has_heat_maps,
            max_bytes=limits.max_bytes,
            skposter_version=__version__,
        )

    @app.get("/health")
    async def health() -> Health:
        """Say that the server answers."""
        return Health(status="ok")

    for path, (name, media_type) in _PAGE.items():
        content = (page / name).read_text(encoding="utf-8")
        app.add_api_route(
            path, _constant(content, media_type), include_in_schema=False, response_model=None
        )

    @app.exception_handler(Refused)
    async def refused(request, error):
        return JSONResponse({"detail": error.detail}, error.status, error.headers)

    @app.exception_handler(RefusedImage)
    async def refused_image(request, error):
        return JSONResponse({"detail": f"The file {error}."}, 422)

    @app.exception_handler(ClientDisconnect)
    async def gone(request, error):
        return Response(status_code=400)  # which nobody reads

    @app.exception_handler(Busy)
    @app.exception_handler(TimeoutError)
    async def busy(request, error):
        detail = "There is more to do than time for it; try again."
        return JSONResponse({"detail": detail}, 503, {"retry-after": "1"})

    return app


def _constant(content, media_type):
    async def answer():
        return Response(content, media_type=media_type)

    return answer
