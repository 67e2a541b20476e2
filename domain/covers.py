"""What an uploaded cover may be. Everything else is refused before it is decoded."""

from domain.errors import Refusal

LARGEST_FILE = 8_000_000  # bytes
MOST_PIXELS = 40_000_000  # a good camera's; what hides more in a small file is no photograph
LEAST = (400, 300)  # less would be a blur across the page
FORMATS = ("JPEG", "PNG", "WEBP")


class PictureUnfit(Refusal):
    """An upload that does not become a cover. Its text says why, and what would do."""


TOO_LARGE = "That file is larger than 8 MB. Save it smaller, or choose another one."
NO_PICTURE = "That isn’t a JPEG, PNG or WebP picture we can read. Save it as one of these and try again."
NOTHING = "Choose a picture first."
TOO_MANY_PIXELS = "That picture has too many pixels. Make it 40 million or fewer, and try again."


def check_file(size: int) -> None:
    """Bytes. Raises PictureUnfit."""
    if size == 0:
        raise PictureUnfit(NOTHING)
    if size > LARGEST_FILE:
        raise PictureUnfit(TOO_LARGE)


def check_size(width: int, height: int) -> None:
    """Pixels, as the file says before it is decoded. Raises PictureUnfit."""
    if width * height > MOST_PIXELS:
        raise PictureUnfit(
            f"That picture has {width:,} × {height:,} pixels. Make it 40 million or fewer, and try again."
        )
    if width < LEAST[0] or height < LEAST[1]:
        least = f"{LEAST[0]} × {LEAST[1]}"
        raise PictureUnfit(f"That picture has only {width} × {height} pixels. Use one of at least {least}.")
