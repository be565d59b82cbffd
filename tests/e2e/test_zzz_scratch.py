import fnmatch
from tests.e2e.conftest import Stage
from tests.e2e.test_zz_after_all_stories import _decisions, _rights, _role
def test_scratch(stage: Stage) -> None:
    used = {(_role(each), each["action"], each["resource"]) for each in _decisions(stage)}
    s=[r for r in _rights(stage) if not any(role==r.role and a==r.action and fnmatch.fnmatchcase(res,r.resource) for role,a,res in used)]
    print("\n".join(sorted(map(str,s))))
    assert 0
