from sprachbund.experiments.plan import PLANS


def test_plans_are_known_by_their_names():
    assert {name: plan.name for name, plan in PLANS.items()} == {"demo": "demo", "reproduce": "reproduce"}
