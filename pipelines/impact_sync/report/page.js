// Draws the charts and sorts the tables. Charts come as data, never as code: expressions are interpreted, so that the
// page needs no `unsafe-eval`, and its Content-Security-Policy lets nothing else run or load.

const specs = JSON.parse(document.getElementById("specs").textContent);
const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false };
const drawn = Object.entries(specs).map(([id, spec]) =>
  vegaEmbed(`#chart-${id}`, spec, options).catch((error) => {
    document.getElementById(`chart-${id}`).textContent = "This chart could not be drawn; its data is below.";
    console.error(error);
  }),
);
Promise.all(drawn).then(() => document.documentElement.setAttribute("data-drawn", drawn.length));

const text = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Sort a table by a column: empty cells last in both directions, equal ones as they were. */
function sort(button) {
  const heading = button.closest("th");
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const numeric = heading.classList.contains("number");
  const first = numeric ? "descending" : "ascending"; // the largest number, the first name
  const second = numeric ? "ascending" : "descending";
  const order = heading.getAttribute("aria-sort") === first ? second : first;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const key = (row) => row.cells[column].dataset.key;
  const rows = [...body.rows].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === "" || b === "") return (a === "") - (b === "");
    const by = numeric ? Number(a) - Number(b) : text.compare(a, b);
    return order === "descending" ? -by : by;
  });
  body.append(...rows);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("th > button");
  if (button) sort(button);
});
