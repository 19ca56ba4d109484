"""What breaks without a latent: numbers beside their controls, sentences, sorting, and where there is nothing."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import plotly.graph_objects as go
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.interventions import plots as effects
from app.interventions.page import causal_sentence, equivalence_words, norm_words
from app.interventions.plots import Line, dots_figure, effects_info, size_of
from app.interventions.queries import ControlInfo, Dot, EffectInfo, change
from app.main import create_app
from app.settings import Settings
from app.shared import figures
from app.shared.figures import COLOURS, INK
from migrations.runner import upgrade
from store.session import make_engine
from tests.app.layers.test_layers import figure
from tests.app.test_pages import page, spaced, whole
from tests.app.world import CONTROL, EDGE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN, build
from tests.app.world_interventions import LOSS

SAE = f"/saes/{SLUGS[1]}"
API = f"/api/v1{SAE}/latents"


def effect(low: float, high: float, beats: float | None = 1.0, **more: Any) -> EffectInfo:
    """An effect whose loss lies in the middle of its interval."""
    control = ControlInfo(median=0.0004, high=0.002, beats=beats, n=20)
    loss = change((low + high) / 2, low, high, control=None if beats is None else control)
    rest = {name: change(0.01, 0.0, 0.02) for name in ("kl", "entropy", "top1", "rank")}
    rest["mediated"] = change(0.6, 0.5, 0.7)
    held: dict[str, Any] = {
        "subject": "latent", "what": "own", "index": 0, "other": None, "n_latents": 0, "norm": 0.2, "variance": None,
        "measures": {"loss": loss, **rest}, "direct_loss": 0.01, "direct_entropy": 0.002,
        "equivalent": low > -0.002 and high < 0.002,
        "regulates_entropy": False,
    }  # fmt: skip
    return EffectInfo(**held | more)


def card(html: str) -> str:
    """The words of the section about effects."""
    return spaced(html.split('id="effects"')[1].split("</section>")[0])


def test_the_latent_page_shows_each_measure_beside_its_controls(client: TestClient) -> None:
    shown = card(whole(client, f"{SAE}/latents/{POSITIVE}"))
    for part in (
        "Δ loss nats per token +0.0213 0.0182 to 0.0244",
        "0.0004 95 % &lt; 0.0021 beats 20 of 20",  # random directions
        "0.0007 95 % &lt; 0.0021 beats 20 of 20",  # sparse latents
        "KL divergence nats per token 0.0170 0.0153 to 0.0187",
        "Δ entropy nats per token −0.0085 −0.0094 to −0.0077",
        "likeliest token changes share of tokens 8.5 % 7.7–9.4 %",
        "Δ rank, right token doublings +0.064 0.058 to 0.070",
        "19,763 next tokens of 118 documents, the model in float32;",
        "0.21 median norms",
    ):
        assert part in shown, part


def test_what_goes_through_the_norm_is_one_sentence(client: TestClient) -> None:
    shown = unescape(card(whole(client, f"{SAE}/latents/{POSITIVE}")))
    assert (
        "With the final norm's scale frozen the loss changes by +0.0149 instead of +0.0213 and the entropy by −0.0030"
        " instead of −0.0085 nats per token: token by token, 66.0 % (50.0–70.0 %) of the entropy's change goes through"
        " the norm; it regulates entropy."
    ) in shown


def test_a_mirror_stands_beside_its_pair(client: TestClient) -> None:
    assert "together with 1" in card(whole(client, f"{SAE}/latents/{POSITIVE}"))
    assert "together with" not in card(whole(client, f"{SAE}/latents/{TWIN}"))


@pytest.mark.parametrize(
    ("index", "said", "head"),
    [
        (
            POSITIVE,
            "The model needs it",
            "Without it the loss rises by 0.0213 nats per token, more than matched random",
        ),
        (NEGATIVE, "As good as nothing: the whole 95 % interval", "the loss stays where it is, within ±0.002 nats"),
        (TWIN, "Open: the 95 % interval", ""),
        (ORIGINAL, "The model predicts this text better without it", "the loss falls by 0.0098 nats per token"),
        (EDGE, "", ""),
    ],
)
def test_equivalence_is_said_in_words(client: TestClient, index: int, said: str, head: str) -> None:
    html = whole(client, f"{SAE}/latents/{index}")
    assert said in card(html)
    assert head in spaced(card(html))
    assert ("Without it" in card(html)) is bool(head)


@pytest.mark.parametrize(
    ("low", "high", "beats", "expected"),
    [
        (0.0021, 0.01, 0.95, "more than matched random directions do"),
        (0.0021, 0.01, 0.9, "no more than matched random directions do (18 of 20 do less)"),
        (0.0021, 0.01, None, "rises by 0.0060 nats per token."),
        (-0.01, -0.0021, 1.0, "falls by 0.0060 nats"),
        (-0.0019, 0.0019, 1.0, "stays where it is"),
        (0.0019, 0.01, 1.0, ""),
        (-0.01, 0.01, 1.0, ""),
    ],
)
def test_the_sentence_at_the_head_never_says_more_than_the_interval(
    low: float, high: float, beats: float | None, expected: str
) -> None:
    made = causal_sentence(effect(low, high, beats), 0.002)
    assert expected in made
    assert bool(made) is bool(expected)


def test_without_an_epsilon_or_an_interval_nothing_is_claimed() -> None:
    measures = effect(0.1, 0.2).measures | {"loss": change(0.1, None, None)}
    for found, epsilon in ((effect(0.1, 0.2), None), (effect(0.1, 0.2, measures=measures, equivalent=None), 0.002)):
        assert causal_sentence(found, epsilon) == equivalence_words(found, epsilon, "it") == ""


def test_a_norm_that_mediates_nothing_is_said_to() -> None:
    assert "none of the entropy's change goes through the norm" in norm_words(
        effect(0.1, 0.2, measures=effect(0.1, 0.2).measures | {"mediated": change(-0.2, -0.3, -0.1)})
    )
    assert norm_words(effect(0.1, 0.2, direct_loss=None)) == ""


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.03), (-0.03, -0.01)])
def test_an_effect_that_controls_reach_as_often_as_not_is_a_push(low: float, high: float) -> None:
    """No sentence says that the model needs it, or that it does the text no good."""
    for beats, is_push in ((0.5, True), (0.55, False), (None, False)):
        found = effect(low, high, beats)
        words = equivalence_words(found, 0.002, "it")
        assert ("no more than a push of this length" in words) is is_push
        assert ("needs it" in words or "better without it" in words) is not is_push
        assert ("no more than matched" in causal_sentence(found, 0.002)) is (beats is not None)


def test_the_pair_page_sets_both_together_beside_each_alone(client: TestClient) -> None:
    shown = card(whole(client, f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}"))
    assert "What breaks without the two?" in shown
    assert "The model needs them" in shown
    assert "both controls of about its length, median + 0 alone − 1 alone random sparse" in shown
    row = shown.split("Δ loss nats per token")[1].split("KL")[0]
    assert re.findall(r"\+\d\.\d{4}", row) == ["+0.0312", "+0.0213", "+0.0001"]


def test_two_that_were_not_taken_out_together_stand_each_alone(client: TestClient) -> None:
    html = whole(client, f"/saes/{SLUGS[2]}/pairs/{POSITIVE}/{NEGATIVE}")
    shown = card(html)
    assert "Only antipodal pairs are taken out together" in shown
    assert "+ 0 alone" in shown
    assert "The model needs" not in shown
    assert "Without the two" not in html


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/saes/{SLUGS[0]}/latents/0", f"dense-latents ablate --db STORE --sae {SLUGS[0]}"),
        (f"/saes/{SLUGS[0]}/pairs/0/1", f"dense-latents ablate --db STORE --sae {SLUGS[0]}"),
        (f"/saes/{SLUGS[0]}", f"dense-latents ablate --db STORE --sae {SLUGS[0]}"),
        (f"{SAE}/latents/9", "this is none of them"),
    ],
)
def test_where_nothing_was_ablated_the_page_gives_the_command(client: TestClient, path: str, shown: str) -> None:
    assert shown in card(page(client, path))


def test_a_bare_effect_breaks_nothing(client: TestClient) -> None:
    html = whole(client, f"/saes/{SLUGS[2]}/latents/{POSITIVE}")
    assert "+0.500" in card(html)
    assert "controls of about its length" not in card(html)
    assert "frozen" not in card(html)
    made = client.get(f"/api/v1/saes/{SLUGS[2]}/latents/{POSITIVE}").json()
    assert made["effects"]["loss"] == {"value": 0.5, "low": None, "high": None, "control": None, "sparse": None}
    assert "mediated" not in made["effects"]


def test_the_plot_marks_this_latent_and_links_the_others(client: TestClient) -> None:
    made = figure(client, f"{SAE}/latents/{POSITIVE}/parts/effects?run=2", "effect-loss-plot")
    by_name = {trace["name"]: trace for trace in made["data"]}
    assert by_name["latent 0"]["y"] == [0.0213]
    assert by_name["latent 0"]["marker"]["color"] == INK
    assert len(by_name["random direction"]["x"]) == 13
    assert len(by_name["sparse latent"]["x"]) == 12
    assert [f"{SAE}/pairs/0/1?run=2", "pair 0 / 1"] in by_name[""]["customdata"]
    assert [f"{SAE}/latents/{TWIN}?run=2", "latent 2"] in by_name[""]["customdata"]
    assert made["layout"]["shapes"][0]["y0"] == 0.002
    assert made["layout"]["xaxis"]["type"] == made["layout"]["yaxis"]["type"] == "log"
    assert (
        "shapes" not in figure(client, f"{SAE}/latents/0/parts/effects", "effect-kl-plot")["layout"]
        or not figure(client, f"{SAE}/latents/0/parts/effects", "effect-kl-plot")["layout"]["shapes"]
    )


def test_the_poles_of_a_pair_keep_their_colours(client: TestClient) -> None:
    made = figure(client, f"{SAE}/pairs/0/1/parts/effects", "effect-loss-plot")
    colours = {trace["name"]: trace["marker"]["color"] for trace in made["data"]}
    assert colours["latent 0"] == figures.POSITIVE
    assert colours["latent 1"] == figures.NEGATIVE
    assert colours["pair 0 / 1"] == INK


def test_the_plots_numbers_are_there_as_text(client: TestClient) -> None:
    html = whole(client, f"{SAE}/latents/{POSITIVE}")
    table = spaced(html.split('id="effect-loss-plot"')[1].split("</table>")[0])
    assert "latent 0 0.210 +0.0213 0.0182 to 0.0244" in table
    assert table.count("random direction for latent 0") == 2


def test_an_interval_around_zero_begins_at_zero() -> None:
    assert size_of(change(-0.01, -0.02, -0.005)) == (0.01, 0.005, 0.02)
    assert size_of(change(0.001, -0.003, 0.002)) == (0.001, 0.0, 0.003)
    assert size_of(change(0.5, None, None)) == (0.5, 0.5, 0.5)


def test_too_many_controls_are_thinned_and_zero_stays_on_the_axis() -> None:
    zero = {name: change(0.0, 0.0, 0.0) for name in effects.TITLES}
    some = {name: change(0.01, -0.01, 0.02) for name in effects.TITLES}
    dots = [Dot("random", 0, None, 0.1, some) for _ in range(5000)] + [Dot("own", 0, None, 0.1, zero)]
    info = effects_info(dots, {(0, None): INK}, "loss")
    assert 300 < len(info.controls) <= 400
    made = effects.effects_figure(info, "loss", None, "s", "")
    assert min(value for trace in made["data"] for value in trace["y"]) == 0.01
    assert json.dumps(made, allow_nan=False)


def test_plotly_takes_the_new_figures(client: TestClient) -> None:
    made = [figure(client, f"{SAE}/latents/0/parts/effects", f"effect-{name}-plot") for name in effects.TITLES]
    made += [figure(client, SAE, "dense-set"), figure(client, f"{SAE}/pairs/0/1/parts/steering", "steer-0-1")]
    made += [figure(client, "/experiments/1", name) for name in ("curves", "counts", "angles")]
    made.append(dots_figure([Line("<b>", 0.1, 0.0, 0.2, True)], "x", ".2f", marks=(0.25,), span=(-0.002, 0.002)))
    for one in made:
        spec = json.dumps(one, allow_nan=False)
        for name in COLOURS:  # names of CSS variables, which the page fills in
            spec = spec.replace(f'"{name}"', '"#123456"')
        assert '"--' not in spec
        go.Figure(json.loads(spec))
    assert made[-1]["data"][0]["y"] == ["&lt;b&gt;"]


def test_the_whole_set_stands_beside_its_controls(client: TestClient) -> None:
    shown = card(page(client, SAE))
    assert "The model needs them" in shown
    for part in (
        "all dense latents +0.410 0.350 to 0.470",
        "the same, turned at random 3 sets +0.0600 0.0500 to 0.0700",  # the median, least to most
        "sparse latents, up to as much variance 1 set +0.220 0.180 to 0.260",  # one: its interval
    ):
        assert part in shown, part
    assert shown.count(" 0.80 17.7 % ") == 3
    made = figure(client, SAE, "dense-set")
    assert sum(len(trace["x"]) for trace in made["data"]) == 5


def test_browse_sorts_by_effect_and_shows_it(client: TestClient) -> None:
    html = page(client, f"/latents?sort=loss&dense=any&sae={SLUGS[1]}&limit=100")
    rows = re.findall(r'data-open href="[^"]+/latents/(\d+)"', html)
    assert [int(row) for row in rows[: len(LOSS)]] == sorted(LOSS, key=lambda index: -LOSS[index][0])
    assert 'aria-sort="descending"' in html
    table = spaced(html.split("<tbody>")[1])
    assert "+0.0213 0.0182 to 0.0244" in table
    assert "only dense latents and those with examples are taken out" in html


def test_a_dash_says_which_command_fills_it(client: TestClient) -> None:
    html = page(client, "/latents")
    assert f"not measured: dense-latents ablate --db STORE --sae {SLUGS[0]}" in html


@pytest.mark.parametrize("sort", ["loss", "kl"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_sorted_by_effect_join_to_the_whole_list(client: TestClient, sort: str, order: str) -> None:
    whole = [one["index"] for one in client.get(f"{API}?limit=500&sort={sort}&order={order}").json()["items"]]
    joined: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        made = client.get(API, params={"sort": sort, "order": order, "limit": 4, "cursor": cursor}).json()
        joined += [one["index"] for one in made["items"]]
        cursor = made["next"]
    assert joined == whole
    assert set(whole[: len(LOSS)]) == set(LOSS)


def test_the_api_has_effects_with_interval_and_control(client: TestClient) -> None:
    made = client.get(f"{API}/{POSITIVE}").json()
    assert list(made["effects"]) == ["loss", "kl", "entropy", "top1", "rank", "mediated"]
    loss = made["effects"]["loss"]
    assert (loss["value"], loss["low"], loss["high"]) == (0.0213, 0.0182, 0.0244)
    assert loss["control"] == {"median": 0.0004, "high": 0.0021, "beats": 1.0, "n": 20}
    assert loss["sparse"]["median"] == 0.0007
    assert (made["equivalent"], made["pair_effects"]["loss"]["value"]) == (False, 0.0312)
    listed = {one["index"]: one for one in client.get(f"{API}?limit=500").json()["items"]}
    assert listed[POSITIVE]["effects"] == made["effects"]
    assert listed[NEGATIVE]["equivalent"] is True
    assert (listed[9]["effects"], listed[9]["equivalent"]) == ({}, None)
    assert listed[CONTROL]["effects"]["loss"]["value"] == 0.0002


def test_the_api_has_a_pairs_effects_in_either_order(client: TestClient) -> None:
    one, other = (client.get(f"/api/v1{SAE}/pairs/{path}").json() for path in ("0/1", "1/0"))
    assert one == other
    assert one["effects"]["loss"]["value"] == 0.0312
    assert one["steering"][0]["flips"] == 0.83


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A store of the release before interventions, migrated."""
    path = build(tmp_path_factory.mktemp("old") / "old.db", "0002")
    upgrade(path)
    return TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"{SAE}/latents/{POSITIVE}", "dense-latents ablate --db STORE"),
        (f"{SAE}/latents/{POSITIVE}", "dense-latents steer --db STORE"),
        (f"{SAE}/pairs/0/1", "dense-latents steer --db STORE"),
        (SAE, "dense-latents ablate --db STORE"),
        ("/latents", "dense-latents ablate --db STORE"),
        ("/experiments", "dense-latents retrain --db STORE"),
    ],
)
def test_an_old_store_says_what_to_run(old: TestClient, path: str, shown: str) -> None:
    assert shown in spaced(page(old, path))


def test_an_old_store_has_no_verdicts_and_no_empty_columns(old: TestClient) -> None:
    html = page(old, "/latents")
    assert "Δ loss" not in spaced(html.split("<thead>")[1].split("</thead>")[0])
    assert 'class="ruled' not in html + page(old, f"{SAE}/latents/0")
    made = old.get(f"{API}/0").json()
    assert (made["effects"], made["verdict"], made["grounds"], made["steering"]) == ({}, None, [], [])
    assert old.get("/api/v1/experiments").json() == []
    assert old.get(f"{API}?sort=loss&limit=3").status_code == 200


def test_a_page_is_another_one_after_an_intervention(tmp_path: Any) -> None:
    path = build(tmp_path / "changing.db")
    client = TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1")
    where = f"{SAE}/latents/0"
    changes = (
        "UPDATE intervention SET finished = '2027-01-01 00:00:00' WHERE id = 1",
        "UPDATE verdict SET verdict = 'keep' WHERE \"index\" = 2",
        "DELETE FROM experiment WHERE id = 2",
    )
    for made in changes:
        tag = client.get(where).headers["etag"]
        assert client.get(where, headers={"If-None-Match": tag}).status_code == 304
        engine = make_engine(path)
        with engine.begin() as connection:
            connection.execute(text(made))
        engine.dispose()
        assert client.get(where, headers={"If-None-Match": tag}).status_code == 200
