"""Run with the wheel alone: every module imports, every public name resolves, the main path needs no extra."""

import importlib
import pkgutil

import drainstats as ds

for module in pkgutil.walk_packages(ds.__path__, "drainstats."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in ds.__all__:
    getattr(ds, name)

panel = ds.load_dataset("crypto-venues-daily")
episodes = ds.detect_episodes(panel)
assert any(f"{e.onset:%Y-%m-%d}" == "2020-03-12" for e in episodes), episodes
try:
    ds.write_report(panel.window("2020-01-01", "2020-04-30"), "report.html")
except ds.errors.MissingExtraError as error:
    named = "drainstats[report]" in str(error)
else:
    named = False
assert named, "a report without its extra must fail with the name of the extra"
print(f"{len(ds.__all__)} public names resolve without extras")
