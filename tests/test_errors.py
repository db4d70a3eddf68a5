import inspect
import pickle
from pathlib import Path

from sprachbund import errors
from sprachbund.errors import AudioError, SprachbundError


def test_one_sentence_with_all_its_parts():
    error = SprachbundError("the file is empty", where="a.wav", given="0 bytes", mend="Record it again.")
    assert str(error) == "the file is empty in a.wav (given: 0 bytes). Record it again."
    assert str(SprachbundError("the file is empty")) == "the file is empty."


def test_errors_pass_between_processes():
    error = AudioError("it is empty", where=Path("a.wav"), given=OSError(lambda: None), mend="Record it again.")
    passed = pickle.loads(pickle.dumps(error))
    assert type(passed) is AudioError
    assert str(passed) == str(error)
    assert (passed.what, passed.where, passed.mend) == ("it is empty", "a.wav", "Record it again.")
    assert str(pickle.loads(pickle.dumps(AudioError("it is empty")))) == "it is empty."


def test_one_tree_drawn_in_full():
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    assert all(issubclass(value, SprachbundError) for value in classes)
    assert all(value.__name__ in str(errors.__doc__) for value in classes)
