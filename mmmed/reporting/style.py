"""The look of a report: light, readable on a phone, printable. Nothing is loaded.

Not here: the content (``page``).
"""

STYLE = """
:root { --ink: #1d2530; --soft: #5b6675; --line: #dfe4ea; --wash: #f6f8fa;
  --blue: #0072b2; --orange: #9a6700; --red: #b42318; --amber: #8a5a00; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1.25rem 4rem;
  color: var(--ink); background: #fff; line-height: 1.5;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue",
  Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; padding-top: .9rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
small, .soft { color: var(--soft); }
.soft { font-size: .9rem; }
nav { font-size: .9rem; margin: .9rem 0 0; }
nav a { margin-right: 1rem; white-space: nowrap; display: inline-block; }
a { color: var(--blue); }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
.findings { list-style: none; margin: 1.2rem 0; padding: 0; }
.findings li { border-left: .3rem solid; padding: .5rem .8rem; margin: .45rem 0;
  border-radius: .2rem; background: var(--wash); overflow-wrap: anywhere; }
.findings b { margin-right: .35rem; }
.findings .error { border-color: var(--red); background: #fdf0ee; }
.findings .error b { color: var(--red); }
.findings .warning { border-color: #d99a00; background: #fdf7e7; }
.findings .warning b { color: var(--amber); }
.findings .note { border-color: #a8b3c0; }
.cards { display: grid; gap: 1rem; margin: 1.2rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.1rem; }
.card.held_out { border-top: .3rem solid var(--blue); }
.card.seen { border-top: .3rem solid #e69f00; }
.card.mixed, .card.unknown { border-top: .3rem solid var(--red); }
.card h3 { margin: 0 0 .2rem; }
.card ul { margin: .7rem 0 0; padding-left: 1.1rem; font-size: .92rem; }
.big { font-size: 2.6rem; line-height: 1.15; font-weight: 650; margin: .5rem 0 0;
  font-variant-numeric: tabular-nums; }
.big + p { margin: 0; }
.tag { font-size: .78rem; font-weight: 600; border-radius: 1rem; padding: .1rem .6rem;
  white-space: nowrap; background: #eef1f4; color: #39424e; display: inline-block; }
.held_out > h3 .tag, .tag.held_out { background: #e3f0f8; color: #00547f; }
.seen > h3 .tag, .tag.seen { background: #fdf1d8; color: #7a5200; }
.mixed > h3 .tag, .unknown > h3 .tag, .tag.mixed,
.tag.unknown { background: #fbe3e0; color: var(--red); }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .92rem; min-width: 100%;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .9rem;
  padding-bottom: .3rem; }
th, td { text-align: left;  padding: .38rem .9rem .38rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid #c3ccd6; vertical-align: bottom; }
tbody th { font-weight: 400; }
tr.level > * { background: var(--wash); font-weight: 600; padding-top: .7rem; }
tr.level small { font-weight: 400; }
tr.main > * { font-weight: 650; }
td small, .dense td { white-space: nowrap; }
.dense tbody th { white-space: normal; min-width: 8rem; max-width: 18rem;
  overflow-wrap: anywhere; }
.plots { display: grid; gap: 1.2rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); }
figure { margin: 0; break-inside: avoid; max-width: 36rem; }
figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: .88rem; color: var(--soft); margin-top: .3rem; }
.cases { display: grid; gap: 1.4rem 1.6rem; margin: .8rem 0 1.4rem;
  grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); }
.absent { border: 1px dashed #c3ccd6; border-radius: .3rem; padding: 1.5rem 1rem;
  color: var(--soft); overflow-wrap: anywhere; }
details { margin: .8rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
.num td { text-align: right; } .num thead th:not(:first-child) { text-align: right; }
.num td:last-child, .num th:last-child { padding-right: 0; }
tr:target > * { background: #fdf1d8; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem;
  font-size: .95rem; max-width: 52rem; }
dt { font-weight: 600; }
dd { margin: 0; }
@media (max-width: 40rem) {
  body { padding: 1rem .9rem 3rem; }
  h1 { font-size: 1.4rem; }
  .side td small { display: block; white-space: normal; }
  .dense td small { display: block; }
  .side, .dense { font-size: .88rem; }
  caption { max-width: calc(100vw - 2rem); }
  dl { display: block; }
  dd { margin: 0 0 .5rem; }
  th, td { padding-right: .7rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  h2, h3, tr.level { break-after: avoid; }
  .card, .findings li, tr { break-inside: avoid; }
  .cases, .plots { grid-template-columns: 1fr 1fr; }
  .scroll { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { padding-right: .5rem; }
  .dense td small { display: block; }
  .dense tbody th { min-width: 5.5rem; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  @page { margin: 15mm; }
}
"""
