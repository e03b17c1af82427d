"""The catalogue's data agrees with itself, and what can be asked of it."""

from __future__ import annotations

import os
import re
import shutil
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.catalogue import Catalogue, load_catalogue
from loganalyzer.errors import CatalogueError

PROJECT = Path(__file__).parents[1]
CATALOGUE = load_catalogue(thorough=True)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return CATALOGUE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the catalogue's files, to be broken."""
    with as_file(files("loganalyzer.signatures") / "catalogue") as source:
        return Path(shutil.copytree(source, tmp_path / "catalogue"))


def break_file(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def fault_of(folder: Path) -> CatalogueError:
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(folder, thorough=True)
    return caught.value


def test_nothing_that_is_documented_is_missing(catalogue: Catalogue) -> None:
    counted = {
        "errors": len(catalogue.errors),
        "errors of the seed": sum(error.seed for error in catalogue.errors.values()),
        "causes": len(catalogue.causes),
        "causes of the seed": sum(cause.seed for cause in catalogue.causes.values()),
        "artefacts": len(catalogue.artefacts),
        "states": len(catalogue.states),
        "edges": len(catalogue.edges),
        "facts": len(catalogue.facts),
        "sources": len(catalogue.sources),
        "messages": len(catalogue.messages),
        "traps": len(catalogue.traps),
        "guide": len(catalogue.guide),
        "status codes": len(catalogue.vmsnapshot_codes),
    }
    assert counted == {
        "errors": 163,
        "errors of the seed": 17,
        "causes": 136,
        "causes of the seed": 37,
        "artefacts": 61,
        "states": 12,
        "edges": 207,
        "facts": 53,
        "sources": 45,
        "messages": 18,
        "traps": 24,
        "guide": 4,
        "status codes": 54,
    }
    visible = [cause.guest_visible for cause in catalogue.causes.values()]
    assert [visible.count(word) for word in ("yes", "partly", "no")] == [90, 16, 30]


def test_every_cause_reaches_an_error_and_can_be_judged_and_mended(catalogue: Catalogue) -> None:
    assert catalogue.causes
    for cause in catalogue.causes.values():
        assert cause.errors, cause.id
        assert cause.remedies, cause.id
        assert cause.evidence, cause.id
        assert [one.artefact for one in cause.collect] == list(cause.requires.artefacts), cause.id
        assert {error.code for error in catalogue.errors_of(cause.id)} == set(cause.errors)


def test_every_reference_resolves(catalogue: Catalogue) -> None:
    causes, artefacts = set(catalogue.causes), set(catalogue.artefacts)
    assert {name for error in catalogue.errors.values() for name in error.causes} <= causes
    assert {name for mode in catalogue.failure_modes.values() for name in (*mode.also, mode.cause) if name} <= causes
    assert {one.artefact for cause in catalogue.causes.values() for one in cause.evidence} <= artefacts
    assert {fact.source for fact in catalogue.facts.values()} <= set(catalogue.sources)
    for edge in catalogue.edges:
        assert catalogue.kind_of(edge.origin) in ("cause", "state")
        assert catalogue.kind_of(edge.target) is not None


def test_every_citation_with_a_public_page_is_a_whole_https_address(catalogue: Catalogue) -> None:
    docs = [doc for cause in catalogue.causes.values() for doc in cause.docs]
    docs += [error.doc for error in catalogue.errors.values()]
    addresses = [doc.url for doc in docs if doc.url is not None]
    assert len(addresses) > 300
    for address in addresses:
        assert re.fullmatch(r"https://[a-z.]+/[^\s#*{}]+(#[^\s#]+)?", address), address
    assert all(doc.title for doc in docs)


def test_each_code_and_alias_finds_its_error_in_any_case(catalogue: Catalogue) -> None:
    names = [(name, error) for error in catalogue.errors.values() for name in error.names]
    assert len(names) > 200
    for name, error in names:
        assert catalogue.error(name) is error
        assert catalogue.error(f" {name.upper()} ") is error
    assert catalogue.error("NoSuchCode") is None


def test_each_code_is_found_in_a_sentence(catalogue: Catalogue) -> None:
    for error in catalogue.errors.values():
        found = catalogue.find_codes(f"The job failed: [{error.code}], please see the details.")
        assert (error.code, "code") in {(one.error.code, one.by) for one in found}, error.code


def test_each_documented_message_is_found_with_its_own_code(catalogue: Catalogue) -> None:
    said = [error for error in catalogue.errors.values() if error.message is not None]
    assert len(said) == 122
    for error in said:
        assert error.message is not None
        for text in (error.message, error.message.replace(" ", " \n\t "), error.message.replace("'", "’").upper()):
            found = catalogue.find_codes(text)
            assert error.code in {one.error.code for one in found}, error.code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "L’agente di macchine virtuali non riesce a comunicare con Backup di Azure",
            "UserErrorGuestAgentStatusUnavailable",
        ),
        (
            "Non è stato possibile comunicare con l'agente di macchine virtuali per lo stato dello snapshot",
            "GuestAgentSnapshotTaskStatusError",
        ),
        ("Lo stato di provisioning della macchina virtuale è Non riuscito", "UserErrorVmProvisioningStateFailed"),
        (
            "È stato raggiunto il limite massimo di raccolte di punti di ripristino.",
            "UserErrorRpCollectionLimitReached",
        ),
        ("Operazione dell'estensione VMSnapshot non riuscita", "ExtensionOperationFailedForManagedDisks"),
        ("È in corso un'altra operazione di backup", "UserErrorBackupOperationInProgress"),
        (
            "Backup non riuscito: questa macchina virtuale non è (attivamente) protetta da Backup di Azure.",
            "UserErrorBcmDatasourceNotPresent",
        ),
        ("Errore interno di backup", "BackUpOperationFailed"),
        (  # an e with a combining accent, as a Mac writes it
            "assenza di connettivita\u0300 di rete nella macchina virtuale",
            "ExtensionSnapshotFailedNoNetwork",
        ),
    ],
)
def test_an_italian_message_is_found(catalogue: Catalogue, text: str, code: str) -> None:
    assert code in {one.error.code for one in catalogue.find_codes(text)}


def test_a_message_of_two_errors_stands_for_the_one_whose_code_is_in_the_text(catalogue: Catalogue) -> None:
    message = "Backup failed with an internal error - Please retry the operation in a few minutes"
    alone = {one.error.code for one in catalogue.find_codes(message)}
    assert {"BackUpOperationFailed", "BackUpOperationFailedV2"} <= alone
    named = catalogue.find_codes(f"Error Code BackUpOperationFailedV2\nError Message {message}")
    assert [(one.error.code, one.by) for one in named] == [("BackUpOperationFailedV2", "code")]


def test_codes_come_in_the_order_of_the_text_and_before_messages(catalogue: Catalogue) -> None:
    found = catalogue.find_codes(
        "The virtual machine doesn’t exist. usererrorfsfreezefailed, then GuestAgentSnapshotTaskStatusError (320001)"
    )
    assert [(one.error.code, one.by) for one in found] == [
        ("UserErrorFsFreezeFailed", "code"),
        ("GuestAgentSnapshotTaskStatusError", "code"),
        ("ResourceNotFound", "number"),
        ("BCMV2VMNotFound", "message"),
    ]


def test_an_ordinary_word_is_no_code(catalogue: Catalogue) -> None:
    assert catalogue.find_codes("An error occurred; version 2.320001.4 of something, 3200012 bytes") == ()


def test_a_message_without_a_code_is_found(catalogue: Catalogue) -> None:
    found = catalogue.find_messages("Backup can’t cancel the job\nbecause it isn’t in progress. Try again.")
    assert [one.message.text for one in found] == ["Backup can't cancel the job because it isn't in progress"]
    for message in catalogue.messages:
        assert message in {one.message for one in catalogue.find_messages(message.text)}


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=400))
def test_any_text_can_be_searched(text: str) -> None:
    assert all(one.matched for one in CATALOGUE.find_codes(text))
    assert all(one.matched for one in CATALOGUE.find_messages(text))


def test_the_chain_goes_through_states_and_takes_the_shortest_way(catalogue: Catalogue) -> None:
    assert catalogue.path("wireserver-blocked", "UserErrorGuestAgentStatusUnavailable") == (
        "wireserver-blocked",
        "goal-state-not-fetched",
        "no-agent-heartbeat",
        "UserErrorGuestAgentStatusUnavailable",
    )
    assert catalogue.path("disk-size-over-limit", "no-agent-heartbeat") is None
    assert catalogue.path("freeze-failed", "freeze-failed") == ("freeze-failed",)


def test_a_path_exists_exactly_where_a_node_reaches_another(catalogue: Catalogue) -> None:
    targets = [*catalogue.states, "UserErrorGuestAgentStatusUnavailable", "ExtensionSnapshotFailedNoNetwork"]
    reached = 0
    for cause in catalogue.causes:
        for target in targets:
            path = catalogue.path(cause, target)
            assert (path is not None) == catalogue.reaches(cause, target)
            if path is not None:
                reached += 1
                assert path[0] == cause
                assert all(later in catalogue.downstream(node) for node, later in pairwise(path))
                assert all(node in catalogue.upstream(later) for node, later in pairwise(path))
    assert reached > 200


def test_upstream_causes_are_all_causes_that_lead_there(catalogue: Catalogue) -> None:
    upstream = catalogue.upstream_causes("restore-point-limit-reached")
    assert "resource-lock-blocks-cleanup" in upstream  # through the state cleanup-blocked
    assert "restore-point-limit-reached" not in upstream
    assert list(upstream) == [name for name in catalogue.causes if name in upstream]
    assert catalogue.upstream_causes("resource-lock-blocks-cleanup") == ()


def test_nothing_leads_back_to_itself(catalogue: Catalogue) -> None:
    assert not [edge for edge in catalogue.edges if catalogue.reaches(edge.target, edge.origin)]


def test_a_number_means_what_its_program_says(catalogue: Catalogue) -> None:
    (service,) = catalogue.numbered(400094)
    assert (service.program, service.error) == ("Azure Backup", "BCMV2VMNotFound")
    (snapshot,) = catalogue.numbered(76)
    assert (snapshot.program, snapshot.azure_backup_error) == ("VMSnapshotLinux", "ExtensionSnapshotFailedNoNetwork")
    assert snapshot.causes == catalogue.errors[snapshot.error or ""].causes
    assert [one.program for one in catalogue.numbered(556)] == ["VMSnapshotLinux", "VMSnapshotLinux host call"]
    assert catalogue.numbered(123456789) == ()


def test_each_numeric_error_of_a_guest_program_has_its_entry_among_the_codes(catalogue: Catalogue) -> None:
    guest = [error for error in catalogue.errors.values() if error.scope == "guest-code"]
    assert len(guest) == 60
    for error in guest:
        assert error.numeric is not None
        assert error.code in {one.error for one in catalogue.numbered(error.numeric)}


def test_what_is_required_is_missing_until_it_is_there(catalogue: Catalogue) -> None:
    requires = catalogue.causes["agent-unresponsive-windows"].requires
    assert requires.missing(()) == requires.any_of == ("win.waappagent_log", "win.evtx.system")
    assert requires.met_by({"win.evtx.system"})
    alone = catalogue.causes["host-backup-service-unreachable"].requires
    assert alone.missing({"lin.waagent_log"}) == ("lin.ext_log",)


def test_an_artefact_says_which_frames_hold_it(catalogue: Catalogue) -> None:
    assert [str(frame) for frame in catalogue.artefacts["lin.waagent_log"].logsources] == ["linux/waagent"]
    (status,) = catalogue.artefacts["lin.ext_status"].logsources
    assert (str(status), dict(status.where)) == ("azure/extension/status", {"kind": ("status_file",)})
    assert catalogue.artefacts["cp.vault"].logsources == ()


def test_wrapper_codes_and_umbrella_causes_are_marked(catalogue: Catalogue) -> None:
    assert {error.code for error in catalogue.errors.values() if error.wrapper} == {
        "BackUpOperationFailed",
        "BackUpOperationFailedV2",
        "ExtensionOperationFailedForManagedDisks",
        "UserErrorCrpReportedUserError",
    }
    umbrellas = [cause for cause in catalogue.causes.values() if cause.umbrella]
    assert len(umbrellas) == 8


def test_a_reference_to_nothing_names_file_line_and_entry(folder: Path) -> None:
    break_file(folder, "errors.yml", "    - agent-service-stopped-linux\n", "    - no-such-cause\n")
    error = fault_of(folder)
    line = (folder / "errors.yml").read_text(encoding="utf-8").splitlines().index("    - no-such-cause") + 1
    assert f"errors.yml:{line}: UserErrorGuestAgentStatusUnavailable: there is no cause 'no-such-cause'" in error.what
    assert error.where is not None
    assert error.where.path.endswith("errors.yml")
    assert error.help


def test_a_key_that_stands_twice_names_file_line_and_entry(folder: Path) -> None:
    break_file(folder, "states.yml", "- id: freeze-failed\n", "- id: freeze-failed\n  title: Frozen\n")
    assert "states.yml:" in fault_of(folder).what
    assert "freeze-failed: the key 'title' stands here twice" in fault_of(folder).what


def test_a_word_that_is_not_allowed_names_the_allowed_ones(folder: Path) -> None:
    break_file(folder, "causes.yml", "  guest_visible: partly", "  guest_visible: sometimes")
    what = fault_of(folder).what
    assert "agent-not-installed: guest_visible: 'sometimes' is none of yes, partly, no" in what
    assert "causes.yml:" in what


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "facts.yml",
            "- id: min-agent-linux\n",
            "- id: min-agent-windows\n",
            "there is a fact 'min-agent-windows' already",
        ),
        ("traps.yml", "- id: vss-noise\n", "- id: vss-noise\n  colour: red\n", "vss-noise: unknown key 'colour'"),
        ("causes.yml", "  seed: true\n", "  seed: perhaps\n", "seed: must be true or false"),
        ("facts.yml", "  as_of: '2025-09-15'\n", "  as_of: '15.9.2025'\n", "is no day of the form"),
        ("messages.yml", "  match: (?i)", "  match: (?i)(", "does not compile"),
        ("artefacts.yml", "    logsources: []\n", "    logsources: none\n", ""),
        (
            "leads_to.yml",
            "- from: cause:static-ip",
            "- from: reason:static-ip",
            "'reason' is none of cause:, state:, error:",
        ),
        ("sources.yml", "    url: https://", "    url: http://", "is no https address"),
        ("states.yml", "  title:", "  heading:", "the key 'title' is missing"),
        ("guide.yml", "- step: 1\n", "- step: one\n", "step: must be a whole number"),
        ("errors.yml", "(UserErrorFsFreezeFailed)", "(UserErrorFsFrozen)", "the code does not find itself"),
        ("traps.yml", "- id: vss-noise", "- id: [vss-noise", "is no YAML"),
        ("sources.yml", "version: 1", "version: one", "version: must be a whole number"),
        ("vmsnapshot_codes.yml", "  - code: 76\n", "  - code: 85\n", "there is a status code '85' already"),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(folder: Path, file: str, old: str, new: str, says: str) -> None:
    if not says:
        old, new, says = old.removeprefix("  "), new.removeprefix("  "), "logsources: must be a list"
    break_file(folder, file, old, new)
    error = fault_of(folder)
    assert says in error.what
    assert f"{file}" in error.what


def test_all_faults_are_told_at_once(folder: Path) -> None:
    break_file(folder, "traps.yml", "- id: vss-noise\n", "- id: vss-noise\n  colour: red\n")
    break_file(folder, "facts.yml", "  source: min-agent\n", "  source: hearsay\n")
    what = fault_of(folder).what
    assert "2 fault(s)" in what
    assert "colour" in what
    assert "there is no source 'hearsay'" in what


def test_a_chain_that_bites_its_tail_is_refused(folder: Path) -> None:
    with (folder / "leads_to.yml").open("a", encoding="utf-8") as file:
        file.write("\n- from: state:no-agent-heartbeat\n  to: cause:wireserver-blocked\n")
    what = fault_of(folder).what
    assert "wireserver-blocked: leads_to: it leads back to itself" in what


def test_a_missing_file_is_told(folder: Path) -> None:
    (folder / "guide.yml").unlink()
    assert "guide.yml: cannot be read" in fault_of(folder).what


@settings(max_examples=60, deadline=None)
@given(raw=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_as_a_file_are_refused_without_a_crash(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "sources.yml").write_bytes(raw)
    with pytest.raises(CatalogueError):
        load_catalogue(folder)


def test_no_program_names_a_cause(catalogue: Catalogue) -> None:
    sources = [*(PROJECT / "loganalyzer").rglob("*.py"), *(PROJECT / "parsers").rglob("*.py")]
    assert len(sources) > 10
    named = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, catalogue.causes)) + r")(?![\w-])")
    told = [(path.name, match[0]) for path in sources for match in named.finditer(path.read_text(encoding="utf-8"))]
    assert told == []


def test_the_files_lose_nothing_of_the_material_they_were_drawn_from(catalogue: Catalogue) -> None:
    shared = os.environ.get("LOGANALYZER_SHARED")
    if shared is None:
        pytest.skip("LOGANALYZER_SHARED does not name the folder with the material")
    text = (Path(shared) / "reference" / "error-catalogue.yaml").read_text(encoding="utf-8")
    drawn = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for entry in drawn["errors"]:
        error = catalogue.errors[entry["code"]]
        assert error.causes == tuple(entry["causes"])
        assert error.documented_causes == tuple(
            name for name in entry["causes"] if name in entry["cause_basis"].get("documented", [])
        )
        assert (error.message, error.summary, error.note) == (entry.get("message"), entry["summary"], entry.get("note"))
        assert list(error.message_regexes) == entry["match"]["message"]
        assert error.where_visible == tuple(entry["where_visible"])
    for entry in drawn["causes"]:
        cause = catalogue.causes[entry["id"]]
        assert [(one.regex, one.condition, one.basis) for one in cause.evidence] == [
            (one.get("regex"), one.get("condition"), one["basis"]) for one in entry["evidence"]
        ]
        assert set(cause.errors) == set(entry["errors"])
        assert [doc.source for doc in cause.docs] == [doc["source"] for doc in entry["docs"]]
        assert [one.artefact for one in cause.collect] == [one["artefact"] for one in entry["collect"]]
        assert all(
            # ps -e names no arguments, by which the agent is told from other programs in Python
            one.command.replace("ps -ef ", "ps -e ").startswith(drawn_one["command"])
            for one, drawn_one in zip(cause.collect, entry["collect"], strict=True)
        )
        assert len(cause.remedies) == len(entry["remedies"])
    edges = [
        (edge["from"].partition(":")[2], edge["to"].partition(":")[2], edge.get("why")) for edge in drawn["leads_to"]
    ]
    assert [(edge.origin, edge.target, edge.why) for edge in catalogue.edges][
        : len(edges)
    ] == edges  # ours stand behind
    assert list(catalogue.facts) == [fact["id"] for fact in drawn["facts"]]
    assert list(catalogue.sources) == [source["id"] for source in drawn["sources"]]
    for entry in drawn["artefacts"]:
        artefact = catalogue.artefacts[entry["id"]]
        # another way to collect it may follow; ps -e names no arguments, by which the agent is told
        assert artefact.collect.replace("ps -ef ", "ps -e ").startswith(entry["collect"])
        assert (artefact.where, artefact.note) == (entry["where"], entry.get("note"))
