"""The checker that the import hook lays over the package: beartype, with an int good enough where a float is asked."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
