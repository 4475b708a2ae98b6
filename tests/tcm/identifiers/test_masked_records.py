"""Records leave the first stage without identifiers: every text field, patients' numbers, and ages over 89."""

import pytest

from tcm.cases import Answer, Case, CaseError, PrescriptionItem, Visit
from tcm.identifiers import Account, mask_case, pseudonyms, read_key
from tcm.sources import Records

SECRET = "电话13622228899"
KEY = b"k" * 32


def case(name: str = "1001", whose: str = "7", **values) -> Case:
    values.setdefault("visit", {"history": "失眠"})
    return Case(id=name, source=values.pop("source", "own"), patient_id=whose, **values)


def answer(text: str) -> Answer:
    item = PrescriptionItem(herb="柴胡", dose=10, note=text)
    return Answer(
        disease=text, syndrome=text, treatment_principle=text, formula=text, usage=text, prescription=(item,)
    )  # fmt: skip


def test_every_text_of_every_visit_and_answer_is_masked() -> None:
    visit = Visit(chief_complaint=SECRET, history=SECRET, tongue=SECRET, pulse=SECRET, answer=answer(SECRET))
    whole = case(visit=visit, earlier_visits=(visit,), answer=answer(SECRET), modifications=SECRET)
    assert "13622228899" in whole.model_dump_json()
    account = Account()
    said = mask_case(whole, account, KEY).model_dump_json()
    assert "1362222" not in said and said.count("电话〔电话〕") == 27 == account.counts["telephone number"]


def test_a_name_that_one_place_gives_away_is_masked_wherever_it_stands() -> None:
    visit = Visit(chief_complaint="方晓兰，女，45岁，失眠", history="方晓兰近日劳累")
    masked = mask_case(case(visit=visit), Account())
    assert masked.visit.history == "〔姓名〕近日劳累"


def test_a_name_with_a_dot_is_known_by_its_parts_too() -> None:
    visit = Visit(chief_complaint="帕丽达·吐尔逊，女，45岁，失眠", history="帕丽达近日劳累，帕丽达·吐尔逊眠差")
    assert mask_case(case(visit=visit), Account()).visit.history == "〔姓名〕近日劳累，〔姓名〕眠差"


@pytest.mark.parametrize(("age", "kept"), [(89, 89), (90, 90), (97, 90), (None, None)])
def test_ages_over_89_are_one(age: float | None, kept: float | None) -> None:
    assert mask_case(case(patient={"age": age}) if age else case(), Account()).patient.age == kept


def test_own_numbers_become_pseudonyms_that_keep_the_visits_of_one_patient_together() -> None:
    records = Records([case("A1", "P9"), case("A2", "P9"), case("A3", "P8")]).without_identifiers()
    first, second, other = records.cases
    assert first.patient_id == second.patient_id != other.patient_id and len({c.id for c in records.cases}) == 3
    assert not any(word in c.model_dump_json() for c in records.cases for word in ("A1", "A2", "A3", "P9", "P8"))
    again = Records([case("B1", "P9")]).without_identifiers()
    assert again.cases[0].patient_id == first.patient_id, "the same patient in another file"


def test_public_cases_and_counted_rows_keep_their_ids() -> None:
    records = Records([case("best4sdt-7", "best4sdt-7", source="best4sdt/clinical"), case("row-3", "row-3")])
    assert [c.id for c in records.without_identifiers().cases] == ["best4sdt-7", "row-3"]


def test_what_was_masked_and_what_was_left_is_told_in_context() -> None:
    visit = {"history": "头晕，电话13622228899，眠差。高明，失眠，自诉编码77450912"}
    account = Records([case(visit=visit)]).without_identifiers().masked
    assert account.counts == {"telephone number": 1} and "telephone number 1" in account.said()
    assert account.shown[0]["text"] == "头晕，电话〔电话〕，眠差。高明，失眠，自诉"
    assert account.left_count == len(account.left) == 2 and "77450912" in account.left[1]["text"]


# the key


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_the_key_is_made_once_for_the_user_alone(settings) -> None:
    key = read_key()
    path = pseudonyms.key_path()
    assert key == read_key() and len(key) == 32 and path.is_relative_to(settings)
    assert path.stat().st_mode & 0o777 == 0o600 and list(path.parent.iterdir()) == [path]


def test_a_key_that_others_may_read_is_closed_again(settings) -> None:
    read_key()
    pseudonyms.key_path().chmod(0o644)
    read_key()
    assert pseudonyms.key_path().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "no key", "ab" * 31, "钥匙"])
def test_a_damaged_key_is_named_and_not_replaced(settings, text: str) -> None:
    path = pseudonyms.key_path()
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    with pytest.raises(CaseError, match="pseudonyms.key: is no key"):
        read_key()
    assert path.read_text("utf-8") == text


def test_another_key_gives_other_pseudonyms() -> None:
    assert pseudonyms.pseudonym("7", "patient", KEY) != pseudonyms.pseudonym("7", "patient", b"x" * 32)
    assert pseudonyms.pseudonym("7", "patient", KEY) != pseudonyms.pseudonym("7", "record", KEY)
