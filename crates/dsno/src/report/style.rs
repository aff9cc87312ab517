//! The style sheet of the report.

/// Light and dark, without anything to download.
pub(super) const SHEET: &str = "
:root { --ink: #1b1f24; --soft: #59636e; --line: #d5dae0; --paper: #fff; --card: #f6f8fa;
  --c0: #2563eb; --c1: #d97706; --c2: #059669; --c3: #db2777; --c4: #7c3aed; --c5: #57534e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #323942;
  --paper: #14171b; --card: #1c2127; --c0: #7aa2ff; --c1: #f5a94b; --c2: #4fd1a5; --c3: #f472b6;
  --c4: #b39bff; --c5: #b8b2ac; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
p { max-width: 46rem; } .about, .note, figcaption, .tick, .label { color: var(--soft); }
.note { font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: var(--soft); white-space: normal; vertical-align: bottom; }
tr.ours td { font-weight: 650; background: var(--card); }
table.plain td { text-align: left; white-space: normal; }
.grids { display: flex; flex-wrap: wrap; gap: 1.25rem; }
figure { margin: 0; } figure img { display: block; max-width: 100%; image-rendering: pixelated;
  border: 1px solid var(--line); }
figcaption { font-size: .9rem; margin-bottom: .3rem; }
.chart { margin: 0 0 1.5rem; } .chart svg { width: 100%; max-width: 46rem; height: auto; }
.axis { stroke: var(--soft); } .grid { stroke: var(--line); }
.tick, .label { fill: var(--soft); font-size: 12px; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.line.s0 { stroke: var(--c0); } .line.s1 { stroke: var(--c1); } .line.s2 { stroke: var(--c2); }
.line.s3 { stroke: var(--c3); } .line.s4 { stroke: var(--c4); } .line.s5 { stroke: var(--c5); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; }
.legend i { display: inline-block; width: .9rem; height: .2rem; margin-right: .35rem;
  vertical-align: middle; }
i.s0 { background: var(--c0); } i.s1 { background: var(--c1); } i.s2 { background: var(--c2); }
i.s3 { background: var(--c3); } i.s4 { background: var(--c4); } i.s5 { background: var(--c5); }
pre { background: var(--card); padding: 1rem; overflow-x: auto; font-size: .85rem; }
";
