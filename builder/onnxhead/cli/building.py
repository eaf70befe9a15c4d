"""Commands that write models."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

import onnxhead
from onnxhead import display
from onnxhead.calibration import calibrate as fit_temperature
from onnxhead.cli.common import AsJson, Features, Model, Sample, print_json, print_lines, read_sample, say
from onnxhead.compatibility import RUNTIMES, form_for
from onnxhead.encoding import STORAGES, Storage
from onnxhead.form import COMPUTES, Compute, Form
from onnxhead.head import Head
from onnxhead.model import open_model
from onnxhead.parameters import LARGE_BYTES
from onnxhead.precision import Price, price
from onnxhead.progress import ended_by_signals, shown
from onnxhead.reliability import check_picture, draw
from onnxhead.replacement import check_name
from onnxhead.shipping import prepare, write
from onnxhead.shipping.targets import TARGETS
from onnxhead.sources.labels import parse_labels, read_labels, read_true_labels
from onnxhead.storage import Report, check_in_place
from onnxhead_runtime.errors import FeaturesError, SourceError, VerificationError, WriteError
from onnxhead_runtime.rows import read_features
from onnxhead_runtime.weights import is_whole

WeightKey = Annotated[str | None, typer.Option(help="Which array of the source is the weight.")]
Labels = Annotated[str | None, typer.Option(help="One per class, separated by commas.")]
LabelsFile = Annotated[
    Path | None, typer.Option(help="One label per line, or a .json array, which keeps types.")
]
Link = Annotated[
    str | None, typer.Option(help="softmax, sigmoid or ovr.", show_default="the source's, or softmax")
]
BiasKey = Annotated[str | None, typer.Option(help="Which array, or column of a .csv, is the bias.")]


def build(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="A file (.json .npz .csv .safetensors .skops .pt .pth .keras .weights.h5 .onnx), a Hugging "
            "Face folder, or two .npy files: weight and bias.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write.", show_default="models/NAME.onnx"),
    ] = None,
    labels: Labels = None,
    labels_file: LabelsFile = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="classes-first or features-first: the axes of the weight.",
            show_default="classes-first; features-first for a key named kernel",
        ),
    ] = None,
    weight_key: WeightKey = None,
    bias_key: BiasKey = None,
    no_bias: Annotated[bool, typer.Option("--no-bias", help="The head has no bias: it is zero.")] = False,
    node: Annotated[
        str | None, typer.Option(help="Which node of an .onnx file is the head, where several could be.")
    ] = None,
    link: Link = None,
    temperature: Annotated[float | None, typer.Option(help="Divisor of the logits before the link.")] = None,
    top_k: Annotated[
        int | None,
        typer.Option(help="Add the outputs top_probabilities and top_classes, of so many classes."),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--target",
            help=f"The oldest runtime to load it: onnxruntime==VERSION, {', '.join(RUNTIMES)}.",
            show_default="onnxruntime==1.6",
        ),
    ] = None,
    opset: Annotated[
        int | None, typer.Option(help="The opset, 7 to 26, instead of --target.", show_default="13")
    ] = None,
    ir_version: Annotated[
        int | None,
        typer.Option("--ir", help="The IR version, 4 to 13, instead of --target.", show_default="7"),
    ] = None,
    weights: Annotated[str, typer.Option(help=f"How the weight is kept: {', '.join(STORAGES)}.")] = "float32",
    compute: Annotated[
        str, typer.Option(help=f"What W f + b is computed in: {', '.join(COMPUTES)}.")
    ] = "float32",
    rows: Annotated[
        str | None,
        typer.Option(help="Rows to show the price of another precision on, as `run` reads them."),
    ] = None,
    max_flips: Annotated[
        float | None,
        typer.Option(help="Refuse where a larger share of --rows changes its label, such as 0.001."),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place",
            help="Write the .onnx file alone, beside a .safetensors file whose weight it refers to.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build a model from a head's weight and bias, verify it and write it."""
    precision = Form(weights=cast(Storage, weights), compute=cast(Compute, compute))
    form = replace(_form(precision, runtime, opset, ir_version), top_k=top_k)
    if in_place:
        check_in_place(form)
    _check_price_options(form, rows, max_flips)
    head = onnxhead.read(
        source[0] if len(source) == 1 else source,
        labels=given_labels(labels, labels_file),
        layout=layout,
        weight_key=weight_key,
        bias_key=bias_key,
        no_bias=no_bias,
        node=node,
        link=link,
        temperature=temperature,
    )
    folder = Path("models") if head.stored is None or not in_place else head.stored[0].path.parent
    target = output or folder / f"{source[0].resolve().stem}.onnx"
    check_source_stays(source[0], target)
    check_name(target)
    with ended_by_signals():  # what is unfinished is removed
        cost = None if form.is_float32 else _price(head, form, target, rows)
        if cost and not as_json:
            print_lines(display.price_lines(cost, form, rows))
        if cost and max_flips is not None:
            _check_flips(cost, max_flips, target)
        report = _save(head, target, form, in_place)
    if as_json:
        print_json({**dataclasses.asdict(report), "price": cost and dataclasses.asdict(cost)})
    else:
        print_lines(display.report_lines(report))


def calibrate(
    model: Annotated[
        Path, typer.Argument(help="The .onnx file, or any source of `build`.", show_default=False)
    ],
    features: Features,
    labels: Annotated[
        Path,
        typer.Argument(
            help="The true labels: one per line, a .json array, or a .npy file; for the link sigmoid a .json "
            "array of arrays, or a .npy file (rows, classes) of 0 and 1.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The model file to write.", show_default=False)
    ],
    plot: Annotated[Path | None, typer.Option(help="Draw the reliability diagram to this .png file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the temperature on held-out rows, and write the model with it; the logits stay what they were."""
    if plot:
        check_picture(plot)
    head = onnxhead.read(model)
    calibration = fit_temperature(head, read_features(features, head.features), read_true_labels(labels))
    check_source_stays(model, output)
    report = _save(calibration.head, output, _form_of(model))
    if plot:
        draw(calibration, plot)
    if as_json:
        quality = {name: dataclasses.asdict(getattr(calibration, name)) for name in ("before", "after")}
        print_json({**dataclasses.asdict(report), **quality})
        return
    print_lines([*display.calibration_lines(calibration), "", *display.report_lines(report)])
    if is_whole(model):
        say(f"this is the head alone: onnxhead attach {model} {output} -o ... puts it on its backbone")


def ship(
    model: Model,
    to: Annotated[
        str,
        typer.Option(
            help=f"What to ship to: {', '.join(TARGETS)}; several separated by commas.", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="The new folder; with several targets, one in it for each.",
            show_default=False,
        ),
    ],
    sign: Annotated[
        Path | None, typer.Option(help="Sign the bundle with this elliptic-curve private key (PEM).")
    ] = None,
    sample: Sample = None,
    as_json: AsJson = False,
) -> None:
    """Write a project that runs a model in another language and proves its numbers there."""
    targets = [target.strip().lower() for target in to.split(",")]
    if len(set(targets)) < len(targets):
        raise WriteError(f"--to must name each target once, got {to}")
    folders = [output] if len(targets) == 1 else [output / target for target in targets]
    inputs = read_sample(sample)
    orders = [
        prepare(model, target, folder, sign=sign, sample=inputs)
        for target, folder in zip(targets, folders, strict=True)
    ]
    with ended_by_signals():  # an unfinished project is removed
        shipments = [write(order) for order in orders]
    if as_json:
        print_json({"shipments": [dataclasses.asdict(shipment) for shipment in shipments]})
    else:
        print_lines(line for shipment in shipments for line in display.shipment_lines(shipment))


def _check_price_options(form: Form, rows: str | None, max_flips: float | None) -> None:
    if form.is_float32 and (rows is not None or max_flips is not None):
        raise WriteError(
            "--rows and --max-flips are for another precision than float32: give one with --weights or "
            "--compute, or leave them out"
        )
    if max_flips is not None and not 0 <= max_flips <= 1:
        raise WriteError(f"--max-flips must be a share of the rows, from 0 to 1, got {max_flips:g}")
    if max_flips is not None and rows is None:
        raise WriteError(
            "--max-flips must be judged on rows as the head will get, since random ones say little of them: "
            "give some with --rows FILE"
        )


def _price(head: Head, form: Form, target: Path, rows: str | None) -> Price:
    folder = next((parent for parent in target.parents if parent.is_dir()), None)
    if rows is None:
        return price(head, form, folder=folder)
    try:
        return price(head, form, read_features(rows, head.features), folder)
    except FeaturesError as error:
        raise FeaturesError(f"--rows {rows}: {error}") from error


def _check_flips(cost: Price, max_flips: float, target: Path) -> None:
    if cost.flips > max_flips:
        raise VerificationError(
            f"at most {max_flips:g} of the rows may change their label (--max-flips), {cost.flips:.4g} of "
            f"{cost.rows:,} rows do; {target} was not written: take a precision that keeps more"
        )


def _form(precision: Form, runtime: str | None, opset: int | None, ir_version: int | None) -> Form:
    if runtime is not None:
        if opset is not None or ir_version is not None:
            raise WriteError(
                "--target chooses opset and IR version, got --opset or --ir too: give one of them"
            )
        return form_for(runtime, precision)
    return replace(
        precision,
        opset=Form.opset if opset is None else opset,
        ir_version=Form.ir_version if ir_version is None else ir_version,
    )


def _form_of(source: Path) -> Form:
    """Return how a source is written that onnxhead built; the default for every other."""
    model = open_model(source) if source.suffix == ".onnx" else None
    return model.form if model and model.is_ours else Form()


def _save(head: Head, target: Path, form: Form, in_place: bool = False) -> Report:
    with shown(head.matrix.nbytes < LARGE_BYTES, "classes") as progress:
        return onnxhead.save(head, target, form=form, in_place=in_place, progress=progress)


def check_source_stays(source: Path, output: Path) -> None:
    """Raise WriteError where a model would replace the file that it is made of."""
    if output.exists() and output.samefile(source):
        raise WriteError(f"a model must not replace its own source, {output}: give another file with -o")


def given_labels(labels: str | None, labels_file: Path | None) -> list[Any] | None:
    """Return the labels that a user gives in one of two ways."""
    if labels is not None and labels_file is not None:
        raise SourceError("labels must come from --labels or --labels-file, got both")
    if labels_file is not None:
        return read_labels(labels_file)
    return None if labels is None else parse_labels([label.strip() for label in labels.split(",")])
