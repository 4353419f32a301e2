"""Pictures in folders: which are read, of which class, and what becomes of their pixels."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from metaqnn.data.inputs import read_inputs
from metaqnn.data.listing import list_folder
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load, load_split
from metaqnn.data.pictures import look_at, read_picture
from metaqnn.data.preparation import Preparation
from metaqnn.data.summary import summarise
from metaqnn.errors import MetaqnnError
from metaqnn.models.network import probabilities
from tests.helpers.pictures import NAMES, bars, learn, write_folder


def config(root, **options):
    return DataOptions(dataset=f"folder:{root}", **options)


def refusal(root, **options):
    """The one line with which a folder is refused."""
    with pytest.raises(MetaqnnError) as error:
        load_split(config(root, **options))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_classes_of_the_test_are_those_of_training_by_name(tmp_path):
    root = write_folder(tmp_path / "a")
    accuracy, model = learn(tmp_path, dataset=f"folder:{root}")
    assert accuracy == 1
    shutil.rmtree(root / "test" / "bee")
    (root / "test" / "cow").rename(root / "test" / "Cow")
    test = load(config(root), "test")
    assert test.classes == NAMES
    assert test.counts == {"ant": 5, "bee": 0, "cow": 5}
    assert model.predict(test.images) == [NAMES[label] for label in test.labels]
    told = " ".join(load(config(root), "train").origin.warnings)
    assert "has no image of the class 'bee'" in told
    assert "writes the class 'cow' as 'Cow'" in told


def test_a_class_that_training_has_not_is_told_at_once_and_refused_in_the_test(tmp_path):
    root = write_folder(tmp_path / "a")
    shutil.copytree(root / "test" / "bee", root / "test" / "aardvark")
    problem = "test has the class 'aardvark', which .*train has not"
    with pytest.raises(MetaqnnError, match=problem):
        load(config(root), "test")
    warnings = load_split(config(root))[0].origin.warnings
    assert any("aardvark" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("train", "test", "other"),
    [
        ("Café", "Cafe\u0301", "tea"),  # an accent of its own, and one composed
        ("red_fox", "red fox", "bear"),
        ("1", "1", "10"),
    ],
)
def test_names_that_mean_the_same(tmp_path, train, test, other):
    root = write_folder(tmp_path, names=(train, other))
    if test != train:
        (root / "test" / train).rename(root / "test" / test)
    found = load(config(root), "test")
    assert found.counts == {train: 8, other: 7}


def test_own_validation_pictures_are_taken(tmp_path):
    root = write_folder(tmp_path, parts=("train", "valid", "test"))
    training, validation = load_split(config(root))
    assert (len(training), len(validation)) == (60, 60)
    assert torch.equal(training.images, load(config(root), "train").images)
    shutil.copytree(root / "valid" / "ant", root / "valid" / "dog")
    assert "valid has the class 'dog'" in refusal(root)


def test_hidden_folders_and_files_are_no_classes_and_no_pictures(tmp_path):
    root = write_folder(tmp_path)
    train = root / "train"
    shutil.copytree(train / "ant", train / ".ipynb_checkpoints")
    shutil.copytree(train / "ant", train / "ant" / ".thumbnails")
    for folder in ("__MACOSX", "@eaDir", "Thumbs"):
        (train / folder).mkdir()
    (train / "__MACOSX" / "._000.png").write_bytes(b"\0\5\x16\7")
    (train / "ant" / "._000.png").write_bytes(b"\0\5\x16\7")
    (train / "ant" / "Thumbs.db").write_bytes(b"x")
    (train / "bee" / "a.heic").write_bytes(b"x")
    (train / "bee" / "notes.txt").write_bytes(b"x")
    found = load(config(root), "train")
    assert found.counts == dict.fromkeys(NAMES, 20)
    told = "; ".join(found.origin.left_out)
    for part in ("hidden folders: 4", "hidden files: 1, such as ._000.png", "(.heic)", "(.txt)"):
        assert part in told
    assert "Thumbs.db" not in told


def test_a_level_too_deep_is_told_with_the_folder_that_is_meant(tmp_path):
    write_folder(tmp_path / "one" / "train", parts=("train",))
    assert f"is the data set folder:{tmp_path / 'one' / 'train'}?" in refusal(tmp_path / "one")
    write_folder(tmp_path / "two" / "train", parts=("train", "valid"))
    assert f"is the data set folder:{tmp_path / 'two' / 'train'}?" in refusal(tmp_path / "two")
    write_folder(tmp_path / "three" / "pets")
    assert f"is the data set folder:{tmp_path / 'three' / 'pets'}?" in refusal(tmp_path / "three")
    root = write_folder(tmp_path / "four" / "train", parts=("images",))
    told = refusal(tmp_path / "four")
    assert "'images', with the folders 'ant', 'bee', 'cow'" in told
    assert f"is the data set folder:{root / 'images'}?" in told
    load(config(root / "images"), "train")
    for name in ("ant", "bee"):
        write_folder(tmp_path / "five" / name, names=("train", "test"), parts=(".",))
    assert "has train in each of 'ant', 'bee'; wanted are" in refusal(tmp_path / "five")


def test_folders_without_classes(tmp_path):
    flat = tmp_path / "flat" / "train"
    flat.mkdir(parents=True)
    assert "it has no pictures and no class folders" in refusal(tmp_path / "flat")
    Image.new("L", (4, 4)).save(flat / "a.png")
    assert "1 picture and no class folders; wanted are" in refusal(tmp_path / "flat")
    root = write_folder(tmp_path / "one", names=("ant",))
    assert "has one class only, 'ant'" in refusal(root)
    root = write_folder(tmp_path / "empty")
    (root / "train" / "dog").mkdir()
    (root / "train" / "dog" / "a.heic").write_bytes(b"x")
    told = refusal(root)
    assert "the class 'dog' has no pictures" in told and "(.heic): 1" in told


def test_class_folders_alone_have_a_test_part_split_off(tmp_path):
    root = write_folder(tmp_path, parts=(".",))
    training, test = load(config(root), "train"), load(config(root), "test")
    assert training.counts == dict.fromkeys(NAMES, 16)
    assert test.counts == dict.fromkeys(NAMES, 4)
    both = torch.cat([training.images, test.images]).flatten(1).numpy()
    assert len(np.unique(both, axis=0)) == 60
    assert torch.equal(load(config(root), "test").images, test.images)
    assert any("kept for the test" in warning for warning in training.origin.warnings)
    # a class may be called as a part
    (root / "bee").rename(root / "train")
    assert load(config(root), "train").classes == ("ant", "cow", "train")


def test_no_test_part(tmp_path):
    root = write_folder(tmp_path, parts=("train",))
    assert load(config(root), "test") is None
    (root / "test").mkdir()
    assert load(config(root), "test") is None


def test_every_kind_of_picture_is_read_and_counted(tmp_path):
    root = write_folder(tmp_path, parts=("train",))
    kinds = ("gif", "jfif", "bmp", "webp", "tiff", "jpg", "avif", "JPEG")
    for place, path in enumerate(sorted(root.rglob("*.png"))):
        if place % 3:
            target = path.with_suffix(f".{kinds[place % len(kinds)]}")
            with Image.open(path) as picture:
                picture.save(target, "JPEG" if target.suffix == ".jfif" else None)
            path.unlink()
    found = load(config(root), "train")
    assert len(found) == 60 and not found.origin.left_out


# what pictures are made of


def wide(picture, place):
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def dark(picture, place):
    """12 bits of a camera in the dark, in a file of 16."""
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) // 4)


def real(picture, place):
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.float32) / 3e4)


def stroke(picture, place):
    """Black on nothing."""
    pixels = np.zeros((*picture.size[::-1], 4), np.uint8)
    pixels[..., 3] = (np.asarray(picture)[..., 0] > 100) * 255
    return Image.fromarray(pixels)


def palette(picture, place):
    """Likewise with a palette, one of whose colours is transparent."""
    shape = (np.asarray(picture)[..., 0] > 100).astype(np.uint8)
    made = Image.fromarray(shape, "P")
    made.putpalette([0, 0, 0, 0, 0, 0])
    made.info["transparency"] = 0
    return made


KINDS = {
    "16 bits, PNG": (wide, "png", "values", 1),
    "16 bits, TIFF": (wide, "tif", "values", 1),
    "dark": (dark, "png", "values", 1),
    "float TIFF": (real, "tif", "values", 1),
    "alpha": (stroke, "png", "bytes", 3),
    "palette with transparency": (palette, "png", "bytes", 1),
    "grey": (lambda picture, place: picture.convert("L"), "png", "bytes", 1),
    "grey GIF": (lambda picture, place: picture.convert("L"), "gif", "bytes", 1),
    "one bit": (lambda picture, place: picture.convert("1", dither=0), "png", "bytes", 1),
    "CMYK": (lambda picture, place: picture.convert("CMYK"), "jpg", "bytes", 3),
    "colours": (lambda picture, place: picture, "webp", "bytes", 3),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize(("convert", "suffix", "scale", "channels"), KINDS.values(), ids=KINDS)
def test_nothing_is_lost_and_predictions_are_prepared_as_the_training(
    tmp_path, convert, suffix, scale, channels
):
    root = write_folder(tmp_path / "a", convert=convert, suffix=suffix, size=24)
    options = {"dataset": f"folder:{root}", "image_size": 12}
    accuracy, model = learn(tmp_path, **options)
    assert accuracy > 0.95
    test = load(DataOptions(**options), "test")
    assert model.facts.preparation.scale == scale
    assert model.facts.input_shape == test.shape == (channels, 12, 12)
    names, images, broken = read_inputs([root / "test"], test.shape, model.facts.preparation)
    assert not broken and len(names) == 15
    assert np.array_equal(images, test.images.numpy())
    assert [Path(name).parent.name for name in names] == model.predict(images)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_pictures_stand_upright(tmp_path, orientation, suffix):
    """Each corner has a colour of its own; EXIF's table says where row 0 and column 0 lie."""
    upright = np.zeros((40, 24, 3), np.uint8)
    upright[:20, :12, 0], upright[:20, 12:, 1], upright[20:, :12, 2] = 250, 250, 250
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: a.transpose(1, 0, 2)[::-1],
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=95)
    made = read_picture(path, (3, 40, 24), Preparation(resampling="bicubic"))
    assert np.abs(made.transpose(1, 2, 0).astype(int) - upright).mean() < 12
    if orientation in (1, 6):
        root = tmp_path / "folder" / "train"
        for name in "ab":
            (root / name).mkdir(parents=True)
            shutil.copy(path, root / name)
        assert "are 40x24, not square" in refusal(root.parent, validation=0.5)


@pytest.mark.parametrize(("ground", "seen"), [("white", 255), ("black", 0), ("keep", 7)])
def test_transparency_is_laid_on_a_ground_or_kept(tmp_path, ground, seen):
    for mode, shape in (("RGBA", (4,)), ("LA", (2,))):
        pixels = np.full((6, 6, *shape), 7, np.uint8)
        pixels[3:, :, -1] = 255
        pixels[:3, :, -1] = 0
        path = tmp_path / f"{mode}.png"
        Image.fromarray(pixels).save(path)
        channels = len(pixels[0, 0]) - (ground != "keep")
        made = read_picture(path, (channels, 6, 6), Preparation(transparency=ground))
        assert (made[0, 0, 0], made[0, 5, 0]) == (seen, 7)
        if ground == "keep":
            assert (made[-1, 0, 0], made[-1, 5, 0]) == (0, 255)


def test_deep_colours_are_read_with_all_their_bits(tmp_path):
    """A PNG of 16 bits a colour, written by hand, as Pillow writes none."""
    import struct
    import zlib

    random = np.random.default_rng(0)
    pixels = random.integers(0, 65536, (6, 6, 4)).astype(np.uint16)
    pixels[..., 3] = 65535

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    for channels, colour in ((3, 2), (4, 6)):
        rows = b"".join(b"\0" + row[:, :channels].astype(">u2").tobytes() for row in pixels)
        header = struct.pack(">IIBBBBB", 6, 6, 16, colour, 0, 0, 0)
        path = tmp_path / "a.png"
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
        deep = Preparation("values", 0, 65535, 65535)
        made = read_picture(path, (3, 6, 6), deep)
        assert np.abs(made - np.moveaxis(pixels[..., :3], 2, 0)).max() < 0.01
        assert look_at(path).white == 65535
        as_bytes = read_picture(path, (3, 6, 6), Preparation())
        assert np.abs(as_bytes * 257.0 - np.moveaxis(pixels[..., :3], 2, 0)).max() <= 129


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_colours_of_tiff(tmp_path, order):
    """Nine tags of TIFF 6.0: size, bits, RGB, and where the one strip is."""
    import struct

    pixels = np.random.default_rng(0).integers(0, 65536, (6, 6, 3)).astype(np.uint16)
    bits, body = struct.pack(f"{order}3H", 16, 16, 16), pixels.astype(f"{order}u2").tobytes()
    end = 8 + 2 + 9 * 12 + 4
    tags = [(256, 6), (257, 6), (258, end), (259, 1), (262, 2), (273, end + 6), (277, 3), (278, 6)]
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, 4 if tag == 273 else 3, 3 if tag == 258 else 1)
        + (struct.pack(f"{order}I", value) if value >= end else struct.pack(f"{order}HH", value, 0))
        for tag, value in tags
    ) + struct.pack(f"{order}HHII", 279, 4, 1, len(body))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, 9)
    path = tmp_path / "a.tif"
    path.write_bytes(head + entries + bytes(4) + bits + body)
    made = read_picture(path, (3, 6, 6), Preparation("values", 0, 65535, 65535))
    assert np.abs(made - np.moveaxis(pixels, 2, 0)).max() < 0.01


def test_pictures_of_8_and_16_bits_have_one_white(tmp_path):
    root = write_folder(tmp_path, convert=lambda p, i: wide(p, i) if i % 2 else p.convert("L"))
    found = load(config(root), "train")
    deep, low = found.images[1::2].mean(), found.images[::2].mean()
    assert abs(deep / low - 1) < 0.1
    assert any("16 bits" in warning for warning in found.origin.warnings)


def test_colour_by_option(tmp_path):
    root = write_folder(tmp_path, convert=lambda p, i: p.convert("L") if i else p)
    assert load(config(root), "train").shape == (3, 12, 12)
    assert load(config(root, colour="grey"), "train").shape == (1, 12, 12)
    shutil.rmtree(root)
    write_folder(tmp_path, convert=lambda p, i: p.convert("L"))
    assert load(config(root), "train").shape == (1, 12, 12)
    assert load(config(root, colour="rgb"), "train").shape == (3, 12, 12)
    shutil.rmtree(root / "test")
    write_folder(tmp_path, parts=("test",))
    test = load(config(root), "test")
    assert test.shape == (1, 12, 12)
    assert any("made grey" in warning for warning in test.origin.warnings)


# resizing


@pytest.mark.slow
def test_predictions_make_the_errors_of_the_final_test(tmp_path):
    """Classes that differ in fine texture alone, which every way of resizing changes."""
    random = np.random.default_rng(0)
    for part, count in (("train", 300), ("test", 100)):
        for place in range(count):
            label = place % 3
            pixels = np.clip(random.normal(128, 60, (64, 64, 3)), 0, 255).astype(np.uint8)
            if label:
                blur = ImageFilter.GaussianBlur((0, 1.0, 1.6)[label])
                soft = np.asarray(Image.fromarray(pixels).filter(blur)).astype(float)
                soft = (soft - soft.mean()) / soft.std() * 60 * (1, 0.8, 0.6)[label] + 128
                pixels = np.clip(soft, 0, 255).astype(np.uint8)
            folder = tmp_path / "a" / part / "abc"[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{place}.png")
    options = {"dataset": f"folder:{tmp_path / 'a'}", "image_size": 24}
    accuracy, model = learn(tmp_path, epochs=10, **options)
    assert accuracy > 0.8
    test = load(DataOptions(**options), "test")
    names, images, _ = read_inputs([tmp_path / "a" / "test"], test.shape, model.facts.preparation)
    assert np.array_equal(images, test.images.numpy())
    predicted = model.predict(images)
    wrong = np.mean(
        [Path(name).parent.name != made for name, made in zip(names, predicted, strict=True)]
    )
    by_finals = model.probabilities(test.images).argmax(1) != test.labels.numpy()
    assert wrong == by_finals.mean()


def test_a_picture_as_an_array_and_as_a_file_is_resized_alike(tmp_path):
    """A network of arrays reads files as arrays were resized."""
    pixels, labels = bars(40, size=20)
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=labels)
    options = {"dataset": f"npz:{tmp_path / 'a.npz'}", "image_size": 9}
    found = load(DataOptions(**options), "train")
    for place in range(5):
        Image.fromarray(pixels[place]).save(tmp_path / f"{place}.png")
        made = read_picture(tmp_path / f"{place}.png", found.shape, found.preparation)
        assert np.array_equal(made, found.images[place].numpy())


def test_large_photographs_are_decoded_smaller_and_hardly_differ(tmp_path):
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8))
    path = tmp_path / "a.jpg"
    coarse.resize((1600, 1203), Image.Resampling.BICUBIC).save(path, quality=90)
    with Image.open(path) as picture:
        exact = np.asarray(picture.convert("RGB").resize((64, 64))).transpose(2, 0, 1).astype(int)
    made = read_picture(path, (3, 64, 64), Preparation(resampling="bicubic"))
    assert np.abs(made - exact).mean() < 0.5 and np.abs(made - exact).max() <= 4


@pytest.mark.slow
def test_photographs_take_the_memory_of_the_result(tmp_path):
    """Forty of 12 megapixels; all of them decoded are 1.4 GB."""
    random = np.random.default_rng(0)
    for place in range(40):
        coarse = np.kron(random.integers(0, 90, (30, 40, 3)), np.ones((100, 100, 1)))
        folder = tmp_path / "train" / "ab"[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse.astype(np.uint8)).save(folder / f"{place}.jpg", quality=70)
    code = (
        "import resource, sys, torch\n"
        "from metaqnn.data.parts import load\n"
        "from metaqnn.data.options import DataOptions\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "load(DataOptions(dataset=sys.argv[1], image_size=32), 'train')\n"
        "print(peak() - before)"
    )
    command = [sys.executable, "-c", code, f"folder:{tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 400


# broken files


@pytest.mark.slow
def test_broken_files_are_named_or_left_out_and_counted(tmp_path):
    root = write_folder(tmp_path, suffix="jpg", size=64)
    half = root / "train" / "bee" / "001.jpg"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    assert f"{half} cannot be read: image file is truncated" in refusal(root)
    (root / "train" / "ant" / "000.jpg").write_bytes(b"<html>")
    (root / "train" / "cow" / "empty.png").write_bytes(b"")
    Image.new("1", (20000, 20000)).save(root / "train" / "cow" / "scan.png")
    told = refusal(root, image_size=8)
    assert "ant/000.jpg cannot be read" in told and "2 more" in told and "--skip-broken" in told
    found = load(config(root, image_size=8, skip_broken=True), "train")
    assert found.counts == {"ant": 19, "bee": 19, "cow": 20}
    assert "; ".join(found.origin.left_out).count("broken files") == 2
    for path in (root / "train" / "ant").iterdir():
        path.write_bytes(b"")
    assert "no picture of the class 'ant' can be read" in refusal(
        root, image_size=8, skip_broken=True
    )


def test_a_broken_block_of_exif_is_no_broken_picture(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8), "red").save(path, exif=b"Exif\0\0nonsense")
    made = read_picture(path, (3, 8, 8), Preparation(resampling="bicubic"))
    assert made[0].min() > 250


def test_pictures_that_differ_in_size_between_the_parts(tmp_path):
    root = write_folder(tmp_path, parts=("train",))
    write_folder(root, parts=("test",), size=18)
    with pytest.raises(MetaqnnError, match="test are 18x18, those of training 12x12; .*image-size"):
        load(config(root), "test")
    assert load(config(root, image_size=10), "test").shape == (3, 10, 10)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_followed_but_not_in_a_circle(tmp_path):
    root = write_folder(tmp_path / "a")
    (root / "train" / "ant" / "again").symlink_to(root / "train" / "ant")
    shutil.move(root / "train" / "bee", tmp_path / "elsewhere")
    (root / "train" / "bee").symlink_to(tmp_path / "elsewhere")
    assert load(config(root), "train").counts == dict.fromkeys(NAMES, 20)


def test_the_order_is_that_of_paths(tmp_path):
    root = write_folder(tmp_path)
    files, places = list_folder(root).parts["train"]
    assert list(files) == sorted(files)
    assert [file.parent.name for file in files] == [NAMES[place] for place in places]


def test_probabilities_of_the_final_test_are_those_of_the_model(tmp_path):
    """Networks of 16 bits too: what the file reads, and what is tested, are the same."""
    from metaqnn.models.network import load_network

    root = write_folder(tmp_path / "a", convert=wide)
    _, model = learn(tmp_path, epochs=1, dataset=f"folder:{root}")
    network, facts = load_network(tmp_path / "learnt.safetensors")
    test = load(config(root), "test")
    tested = probabilities(network, facts, test.images, torch.device("cpu"))
    assert np.allclose(tested, model.probabilities(test.images), atol=1e-6)


def test_what_takes_long_shows_a_bar_unless_it_is_to_be_quiet(tmp_path, monkeypatch):
    import io

    from metaqnn.data import reading
    from metaqnn.terminal import quietly

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    root = write_folder(tmp_path, parts=("train",))
    monkeypatch.setattr(reading, "PATIENCE", -1.0)
    shown = []
    for quiet in (False, True):
        monkeypatch.setattr(sys, "stderr", Terminal())
        with quietly(quiet):
            load(config(root), "train")
        shown.append("reading pictures" in sys.stderr.getvalue())
    assert shown == [True, False]


def test_white_of_a_tiff_is_white_in_whatever_form_it_is_written(tmp_path):
    """TIFF 6.0, section 3: 0 is white where PhotometricInterpretation is 0, as in scans."""
    root = write_folder(tmp_path / "a", channels=1)
    expected = load(config(root), "test").images.float() * 257
    for path in sorted((root / "test").rglob("*.png")):
        deep = 65535 - np.asarray(Image.open(path)).astype(np.uint16) * 257
        Image.fromarray(deep).save(path.with_suffix(".tif"), tiffinfo={262: 0})
        path.unlink()
    for path in sorted((root / "train").rglob("*.png")):
        deep = np.asarray(Image.open(path)).astype(np.uint16) * 257
        Image.fromarray(deep).save(path)
    assert torch.equal(load(config(root), "test").images, expected)


def test_a_part_of_which_nothing_is_left_is_told(tmp_path):
    root = write_folder(tmp_path / "a")
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"<html>404</html>")
    options = config(root, skip_broken=True)
    assert len(load_split(options)[0])
    told = summarise(options)
    assert "test has no picture that can be read" in (told.problem or "")
    with pytest.raises(MetaqnnError, match="no picture that can be read"):
        load(options, "test")


def test_pictures_of_another_scale_are_not_said_to_be_broken(tmp_path):
    """Of 32 bits for training and 8 for the test: to leave them out would leave nothing."""
    root = write_folder(tmp_path / "a", channels=1)
    for path in sorted((root / "train").rglob("*.png")):
        Image.fromarray(np.asarray(Image.open(path)).astype(np.float32) * 99).save(
            path.with_suffix(".tif")
        )
        path.unlink()
    with pytest.raises(MetaqnnError, match="the network was trained on") as error:
        load(config(root), "test")
    assert "skip-broken" not in str(error.value)


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        (np.arange(36, dtype=np.uint32) * 119_304_000, 1),  # up to 2**32
        (np.arange(36, dtype=np.int32) - 9, 2),
        (np.arange(36, dtype=np.int16) - 9, 2),
        (np.arange(36, dtype=np.int8) - 9, 2),
    ],
)
def test_the_sign_of_numbers_in_a_tiff(tmp_path, numbers, kind):
    """TIFF 6.0, section 19: SampleFormat, tag 339, is 1 without a sign and 2 with one."""
    import struct

    bits = 8 * numbers.dtype.itemsize
    body = numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()
    tags = [(256, 6), (257, 6), (258, bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, 6)]
    tags += [(279, len(body)), (339, kind)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(body))
    path = tmp_path / "a.tif"
    path.write_bytes(head + body + struct.pack("<H", len(tags)) + entries + bytes(4))
    assert look_at(path).white is None
    made = read_picture(path, (1, 6, 6), Preparation("values", 0, 1, None))
    assert np.array_equal(made.ravel(), numbers.astype(np.float32))


@pytest.mark.parametrize(
    ("factor", "problem"), [(1e34, "multiply"), (1e-40, "multiply"), (0, "nothing to be learnt")]
)
def test_pictures_of_numbers_that_float32_does_not_tell_apart(tmp_path, factor, problem):
    def convert(picture, _):
        return Image.fromarray(
            np.asarray(picture.convert("L")).astype(np.float32) * np.float32(factor)
        )

    root = write_folder(tmp_path, convert=convert, suffix="tif")
    assert problem in refusal(root)


def test_transparency_of_the_test_alone_is_told(tmp_path):
    root = write_folder(tmp_path)
    for path in (root / "test").rglob("*.png"):
        Image.open(path).convert("RGBA").save(path)
        picture = Image.open(path)
        picture.putpixel((0, 0), (0, 0, 0, 0))
        picture.save(path)
    told = "; ".join(summarise(config(root)).warnings)
    assert "test have transparency, those of training none" in told


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_that_lead_nowhere_are_told(tmp_path):
    root = write_folder(tmp_path)
    (root / "train" / "cat").symlink_to("gone")
    (root / "train" / "dog").symlink_to("dog")
    told = load(config(root), "train").origin.left_out
    assert told == ("links that lead nowhere: 2, such as cat",)


@pytest.mark.parametrize("kind", ["", "folder:", "npz:"])
def test_a_name_that_is_too_long_for_a_file(kind):
    with pytest.raises(MetaqnnError, match="cannot be read: File name too long"):
        load(DataOptions(dataset=f"{kind}{'a' * 5000}"), "train")
