import inspect

from sprachbund import errors
from sprachbund.errors import SprachbundError


def test_one_sentence_with_all_its_parts():
    error = SprachbundError("the file is empty", where="a.wav", given="0 bytes", mend="Record it again.")
    assert str(error) == "the file is empty in a.wav (given: 0 bytes). Record it again."
    assert str(SprachbundError("the file is empty")) == "the file is empty."


def test_one_tree_drawn_in_full():
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    assert all(issubclass(value, SprachbundError) for value in classes)
    assert all(value.__name__ in str(errors.__doc__) for value in classes)
