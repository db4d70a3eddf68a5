import torch
from torch import nn

from sprachbund.nn.initialization import initialize_like_bert


def test_linear_maps_and_embeddings_begin_normal():
    torch.manual_seed(0)
    module = nn.ModuleList([nn.Embedding(300, 40, padding_idx=1), nn.Linear(40, 300), nn.Conv1d(3, 3, 3)])
    kernel = module[2].weight.clone()
    initialize_like_bert(module)
    for part in module[:2]:
        assert abs(part.weight.std().item() - 0.02) < 0.001
    assert not module[0].weight[1].any()
    assert not module[1].bias.any()
    assert torch.equal(module[2].weight, kernel)


def test_padding_stays_zero_where_the_embedding_is_shared():
    embedding, output = nn.Embedding(9, 4, padding_idx=1), nn.Linear(4, 9)
    output.weight = embedding.weight
    initialize_like_bert(nn.ModuleList([embedding, output]))
    assert not embedding.weight[1].any()
