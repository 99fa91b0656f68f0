"""What the spinal cord report adds to the look of the house: bars, flickering pictures.

Pictures flicker without a script: a checkbox before them hides what lies on top.
"""

CORD_STYLE = """
.pass { background: #e2f3ec; color: #00573f; }
.stop { background: #fbe3e0; color: var(--red); }
.bars { display: grid; grid-template-columns: minmax(5.5rem, max-content) 1fr 3rem;
  gap: .15rem .6rem; align-items: center; min-width: 15rem; font-size: .88rem; }
.bars > span { overflow-wrap: anywhere; line-height: 1.25; }
.bars .end { text-align: right; }
.rail { position: relative; height: .7rem; background: #edf0f3;
  border-radius: .15rem; display: block; }
.rail i { position: absolute; top: 0; bottom: 0; left: 0; background: #a8b3c0;
  border-radius: .15rem; min-width: 1px; }
.rail i.main { background: var(--blue); }
.rail i.less { background: #d55e00; }
.rail u { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px;
  background: var(--ink); }
.rail i.lesion { background: #e69f00; border: 1px solid #9a6700; min-width: 4px; }
.track .rail { background: #cfe4f2; min-width: 9rem; margin-top: .4rem; }
.stages small { display: block; white-space: normal; overflow-wrap: anywhere;
  color: var(--soft); margin-top: .15rem; }
.stages tbody th { min-width: 7rem; } .stages th small { font-weight: 400; }
.stages td:last-child { width: 62%; }
.facts { color: var(--soft); font-size: .92rem; max-width: none; }
.switches { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; font-size: .92rem;
  margin: .9rem 0 .2rem; }
.switches label, .flicker > label { cursor: pointer; }
.flicker { max-width: none; margin: .8rem 0 1.4rem; }
.flicker .name { font-weight: 600; }
.flicker .view { overflow-x: auto; display: block; margin-top: .3rem; }
.flicker .stack { position: relative; display: block; width: max-content;
  max-width: 100%; }
.flicker .stack img { display: block; width: 100%; height: auto; }
.flicker .stack .over { position: absolute; top: 0; left: 0; width: 100%; }
.flicker label > span.hint { color: var(--soft); font-size: .88rem; }
.key { display: inline-block; width: .8rem; height: .8rem; border: 2px solid;
  vertical-align: -.1rem; margin: 0 .3rem 0 .8rem; }
.key.cord { border-color: #56b4e9; margin-left: 0; }
.key.spot { border-color: #e69f00; background: rgba(230, 159, 0, .35); }
.flicker input:checked ~ .view .over { visibility: hidden; }
section:has(.plain:checked) .over { visibility: hidden; }
section:has(.blink:checked) .over { animation: flick 1.4s step-end infinite; }
@keyframes flick { 50% { visibility: hidden; } }
.measures { min-width: 0; }
.measures th, .measures td { padding-right: 1.2rem; }
@media (max-width: 40rem) {
  .flicker .stack { max-width: none; }
  .stages thead { display: none; }
  .stages tr { display: block; border-bottom: 1px solid var(--line);
    padding: .4rem 0; }
  .stages th, .stages td { display: block; border: 0; padding: .1rem 0;
    width: auto !important; }
  .bars { min-width: 0; }
  .overview td:nth-child(4) { min-width: 12rem; }
  .stages tbody th { font-weight: 600; }
}
@media print {
  .switches, .flicker input, .hint { display: none; }
  .flicker .view { overflow: visible; }
  .flicker .stack { width: auto; min-width: 0; max-width: 100%; }
  .flicker .stack .over { position: static; margin-top: .2rem;
    visibility: visible !important; animation: none !important; }
  .bars { font-size: 8.5pt; }
  .flicker .stack img { break-inside: avoid; max-height: 9.5cm; width: auto;
    max-width: 100%; }
}
"""
