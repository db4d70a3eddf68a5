"""The corpora of the field, a row each."""

import functools
from pathlib import Path

from lhotse.recipes.cmu_arctic import download_cmu_arctic
from lhotse.recipes.librispeech import download_librispeech
from lhotse.recipes.libritts import download_libritts
from lhotse.recipes.ljspeech import download_ljspeech
from lhotse.recipes.musan import download_musan
from lhotse.recipes.vctk import download_vctk

from sprachbund.data.corpora.field.adapters import (
    read_cmu_arctic,
    read_librispeech,
    read_libritts,
    read_ljspeech,
    read_musan,
    read_vctk,
)
from sprachbund.data.corpora.field.common_voice import read_common_voice
from sprachbund.data.corpora.field.covost import read_covost
from sprachbund.data.corpora.field.libri_light import read_libri_light
from sprachbund.data.corpora.field.must_c import read_must_c
from sprachbund.data.corpora.field.prepare import FieldCorpus, prepare
from sprachbund.data.corpora.field.voxceleb import read_voxceleb
from sprachbund.data.corpora.layout import Corpus

CC_BY = "CC BY 4.0"
PUBLIC_DOMAIN = "public domain"


def _download_librispeech(target: Path) -> object:
    return download_librispeech(target, dataset_parts="librispeech")  # its default is the mini version


FIELD_CORPORA = (
    FieldCorpus(
        name="librispeech",
        title="LibriSpeech",
        languages=("en",),
        kind="speech",
        licence=CC_BY,
        attribution="Panayotov, Chen, Povey, Khudanpur: LibriSpeech, ICASSP 2015; read by volunteers of LibriVox.",
        description="980 hours of read English",
        layout="dev-clean, train-clean-100 and so on, with .trans.txt files beside .flac recordings",
        home="https://www.openslr.org/12",
        read=read_librispeech,
        download=_download_librispeech,
    ),
    FieldCorpus(
        name="libri-light",
        title="Libri-Light",
        languages=("en",),
        kind="speech",
        licence=PUBLIC_DOMAIN,
        attribution="Kahn et al.: Libri-Light, ICASSP 2020; read by volunteers of LibriVox.",
        description="60,000 hours of read English without texts",
        layout="small, medium or large, with .json files beside .flac recordings",
        home="https://github.com/facebookresearch/libri-light",
        read=read_libri_light,
    ),
    FieldCorpus(
        name="libritts",
        title="LibriTTS",
        languages=("en",),
        kind="speech",
        licence=CC_BY,
        attribution="Zen et al.: LibriTTS, Interspeech 2019; read by volunteers of LibriVox.",
        description="585 hours of read English at 24 kHz, for synthesis (LibriTTS-R as well)",
        layout="dev-clean, train-clean-100 and so on, with .trans.tsv files beside .wav recordings",
        home="https://www.openslr.org/60",
        read=read_libritts,
        download=download_libritts,
    ),
    FieldCorpus(
        name="ljspeech",
        title="LJSpeech",
        languages=("en",),
        kind="speech",
        licence=PUBLIC_DOMAIN,
        attribution="Keith Ito and Linda Johnson: The LJ Speech Dataset, 2017.",
        description="24 hours of one English voice (manifest all)",
        layout="metadata.csv and wavs",
        home="https://keithito.com/LJ-Speech-Dataset",
        read=read_ljspeech,
        download=download_ljspeech,
    ),
    FieldCorpus(
        name="vctk",
        title="VCTK",
        languages=("en",),
        kind="speech",
        licence="CC BY 4.0 (version 0.92), ODC-By 1.0 (version 0.80)",
        attribution="Yamagishi, Veaux, MacDonald: CSTR VCTK Corpus, University of Edinburgh.",
        description="44 hours of 110 English voices of many accents (manifest all)",
        layout="txt, speaker-info.txt and wav48_silence_trimmed (or wav48)",
        home="https://datashare.ed.ac.uk/handle/10283/3443",
        read=read_vctk,
        download=download_vctk,
    ),
    FieldCorpus(
        name="cmu-arctic",
        title="CMU ARCTIC",
        languages=("en",),
        kind="speech",
        licence="free, with the notice of Carnegie Mellon University",
        attribution="Kominek, Black: CMU ARCTIC databases for speech synthesis, CMU-LTI-03-177.",
        description="18 English voices reading the same 1132 sentences (manifest all)",
        layout="cmu_us_bdl_arctic and other voices, each with wav and etc/txt.done.data",
        home="http://festvox.org/cmu_arctic",
        read=read_cmu_arctic,
        download=download_cmu_arctic,
    ),
    FieldCorpus(
        name="common-voice",
        title="Common Voice",
        languages=("any",),
        kind="speech",
        licence="CC0 1.0",
        attribution="Ardila et al.: Common Voice, LREC 2020; Mozilla and its volunteers.",
        description="Sentences read by volunteers in many languages (manifests such as train.fr)",
        layout="a release, its folders of languages each with clips and train.tsv, dev.tsv, test.tsv",
        home="https://commonvoice.mozilla.org/datasets",
        read=read_common_voice,
    ),
    FieldCorpus(
        name="must-c",
        title="MuST-C",
        languages=("en", "ar", "cs", "de", "es", "fa", "fr", "it", "nl", "pt", "ro", "ru", "tr", "vi", "zh"),
        kind="speech",
        licence="CC BY-NC-ND 4.0",
        attribution="Di Gangi et al.: MuST-C, NAACL 2019; talks of TED.",
        description="English talks with translations (manifests such as tst-COMMON.en-de)",
        layout="en-de or other pairs, each with data/train/txt and data/train/wav and so on",
        home="https://mt.fbk.eu/must-c",
        read=read_must_c,
    ),
    FieldCorpus(
        name="covost-2",
        title="CoVoST 2",
        languages=(
            *("en", "ar", "ca", "cy", "de", "es", "et", "fa", "fr", "id", "it"),
            *("ja", "lv", "mn", "nl", "pt", "ru", "sl", "sv-SE", "ta", "tr", "zh-CN"),
        ),
        kind="speech",
        licence="CC0 1.0",
        attribution="Wang, Wu, Pino: CoVoST 2, 2020; Mozilla Common Voice and its volunteers.",
        description="Common Voice with translations (manifests such as test.fr-en)",
        layout="covost_v2.fr_en.tsv or other pairs, and the languages of Common Voice 4.0 with clips and validated.tsv",
        home="https://github.com/facebookresearch/covost and https://commonvoice.mozilla.org/datasets",
        read=read_covost,
    ),
    FieldCorpus(
        name="voxceleb",
        title="VoxCeleb",
        languages=("any",),
        kind="speech",
        licence=CC_BY,
        attribution="Nagrani, Chung, Zisserman: VoxCeleb, Interspeech 2017; VoxCeleb2, Interspeech 2018.",
        description="2,700 hours of 7,000 celebrities in interviews, without texts",
        layout="vox1_meta.csv or vox2_meta.csv, and folders of speakers such as wav/id10001 or dev/aac/id00012",
        home="https://www.robots.ox.ac.uk/~vgg/data/voxceleb",
        read=read_voxceleb,
    ),
    FieldCorpus(
        name="musan",
        title="MUSAN",
        languages=(),
        kind="noise",
        licence="CC BY 4.0 and public domain, told for each recording in its LICENSE files",
        attribution="Snyder, Chen, Povey: MUSAN, a music, speech and noise corpus, 2015.",
        description="109 hours of music, speech and noise, for augmentation",
        layout="music, speech and noise",
        home="https://www.openslr.org/17",
        read=read_musan,
        download=download_musan,
    ),
)

ROWS: tuple[Corpus, ...] = tuple(
    Corpus(
        name=corpus.name,
        languages=corpus.languages,
        kind=corpus.kind,
        minutes=None,
        licence=corpus.licence,
        description=corpus.description,
        prepare=functools.partial(prepare, corpus),
    )
    for corpus in FIELD_CORPORA
)
