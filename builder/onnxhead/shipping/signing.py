"""Signatures over a bundle, by the OpenSSF model-signing library: who built it, and that nothing changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnxhead_runtime.errors import ModelError, WriteError
from onnxhead_runtime.providers import one_line

SIGNATURE = "bundle.sig"


def check_key(key: Path) -> Any:
    """Return model-signing's configuration for a private key.

    Raises:
        WriteError: model-signing is not installed, or the key is none that signs.
    """
    signing = _import("signing", WriteError)
    try:
        return signing.Config().use_elliptic_key_signer(private_key=key)
    except Exception as cause:  # cryptography raises what it likes
        raise WriteError(
            "a bundle is signed with an elliptic-curve private key (P-256, P-384 or P-521) as PEM, not "
            f"encrypted, {key} is none: {_reason(cause)}; make one with: "
            "openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
        ) from cause


def sign(bundle: Path, key: Path) -> None:
    """Sign a bundle: write a signature of all its files into it.

    Args:
        bundle: The folder.
        key: An elliptic-curve private key (P-256, P-384 or P-521) as PEM, not encrypted.

    Raises:
        WriteError: model-signing is not installed, or the key is none that signs.
    """
    config = check_key(key).set_hashing_config(_other_files(_import("hashing", WriteError)))
    config.sign(bundle, bundle / SIGNATURE)


def signature_findings(bundle: Path, key: Path) -> list[str]:
    """Check the signature of a bundle with a public key; one sentence where it does not hold.

    Raises:
        ModelError: model-signing is not installed, or the key is none that verifies.
    """
    verifying, hashing = _import("verifying", ModelError), _import("hashing", ModelError)
    signature = bundle / SIGNATURE
    if not signature.is_file():
        return [f"{SIGNATURE} is not there: the bundle is not signed"]
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except Exception as cause:  # cryptography raises what it likes
        raise ModelError(
            f"a signature is checked with an elliptic-curve public key as PEM, {key} is none: "
            f"{_reason(cause)}; get it with: openssl ec -in key.pem -pubout -out public.pem"
        ) from cause
    try:
        config.set_hashing_config(_other_files(hashing)).verify(bundle, signature)
    except Exception as cause:  # a forged signature file may raise anything
        # which files is a list of hashes of all of them
        reason = "what was signed is another bundle" if "mismatch: [" in str(cause) else one_line(cause)
        return [f"{SIGNATURE} does not hold for {key}: {reason or type(cause).__name__}"]
    return []


def _reason(cause: Exception) -> str:
    if isinstance(cause, AttributeError):
        return "it is a key of another kind"  # an RSA key, of which it asks the curve
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else one_line(cause)


def _other_files(hashing: Any) -> Any:
    # git's files are left out by default
    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _import(module: str, error: type[ModelError | WriteError]) -> Any:
    try:
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying
    except ImportError as cause:
        raise error('signatures need the model-signing package: pip install "onnxhead[sign]"') from cause
    return getattr(model_signing, module)
