/* The page: fields and sliders for the logits, the target and the temperature, and what softmax.js makes of them.

The number fields hold the state; sliders and buttons write into them. Each shown number has all its digits in
data-value. */

(() => {
  const START = { logits: [2, 1, 0, -1], temperature: 1, target: 0 };
  const CLASSES = START.logits.map((_, j) => j);
  const SHIFTS = [-1000, -1, 1, 1000];
  const LOGITS = { min: -1e6, max: 1e6 };
  const TEMPERATURES = { min: 0.01, max: 100 };

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function withMinus(text) {
    return text.replaceAll("-", "\u2212");
  }

  /** Four decimals, or three digits and an exponent where these say too little or too much. */
  function shortened(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    return withMinus(size >= 1e-3 && size < 1e4 ? value.toFixed(4) : value.toExponential(2));
  }

  /** To the decimals of the cells: a sum that is 0 on paper leaves a rounding error. */
  function shortenedSum(value) {
    const text = value.toFixed(4);
    return Number(text) === 0 ? "0" : withMinus(text);
  }

  function show(cell, value, text = shortened(value)) {
    cell.dataset.value = value;
    cell.textContent = text;
  }

  /** A slider and a number field with one value; the field also takes what lies beyond the slider. */
  function pair(name, label, limits, slider, toNumber, toSlider) {
    const field = element("input", { type: "number", step: "any", required: "", name, "aria-label": label, ...limits });
    const range = element("input", { type: "range", "aria-label": `${label}, slider`, ...slider });
    range.addEventListener("input", () => {
      field.value = toNumber(range.valueAsNumber);
      update();
    });
    field.addEventListener("input", () => update());
    const set = (value) => {
      field.value = value;
    };
    const follow = () => {
      range.value = toSlider(field.valueAsNumber);
      range.setAttribute("aria-valuetext", field.value);
    };
    return { field, range, label, limits, set, follow };
  }

  function same(value) {
    return value;
  }

  const logits = CLASSES.map((j) =>
    pair(`logit-${j}`, `logit of class ${j}`, LOGITS, { min: -10, max: 10, step: 0.1 }, same, same),
  );
  const temperature = pair(
    "temperature",
    "temperature",
    TEMPERATURES,
    { min: -2, max: 2, step: 0.01 },
    (exponent) => Number((10 ** exponent).toPrecision(3)),
    Math.log10,
  );
  const targets = CLASSES.map((j) =>
    element("input", { type: "radio", name: "target", value: j, "aria-label": `target: class ${j}` }),
  );
  for (const radio of targets) radio.addEventListener("change", () => update());

  const message = element("p", { class: "message", role: "alert" });
  const loss = element("output", { class: "loss" });
  const code = element("pre", {});
  const cells = (kind) => CLASSES.map(() => element("td", { class: `number ${kind}` }));
  const bars = (kind) => CLASSES.map(() => element("span", { class: `bar ${kind}` }));
  const probabilities = { cells: cells("probability"), bars: bars("probability") };
  const logProbabilities = cells("log-probability");
  const gradient = { cells: cells("gradient"), bars: bars("gradient") };
  const matrix = CLASSES.map(() => cells("derivative"));
  const sums = cells("sum");

  function rowHeading(j) {
    return element("th", { scope: "row" }, `${j}`);
  }

  /** A heading [text, 2] is that of two columns. */
  function table(caption, headings, rows) {
    const top = headings.map((each) => [each].flat()).map(([text, span = 1]) => {
      return element("th", { scope: span === 1 ? "col" : "colgroup", colspan: span }, text);
    });
    return element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...top)),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row))),
    );
  }

  function barCell(bar) {
    return element("td", { class: "track", "aria-hidden": "true" }, element("span", { class: "scale" }, bar));
  }

  function button(text, label, act) {
    const made = element("button", { type: "button", "aria-label": label }, text);
    made.addEventListener("click", () => {
      act();
      update();
    });
    return made;
  }

  function shiftButton(shift) {
    const text = `${shift < 0 ? "\u2212" : "+"}${Math.abs(shift)}`;
    return button(text, `add ${shift} to all logits`, () => {
      for (const { field, set } of logits) set(field.valueAsNumber + shift);
    });
  }

  function startAgain() {
    START.logits.forEach((value, j) => logits[j].set(value));
    temperature.set(START.temperature);
    targets[START.target].checked = true;
  }

  /** What is wrong with the first field that is not valid; empty if there is none. */
  function complaint() {
    const wrong = [...logits, temperature].find(({ field }) => !field.validity.valid);
    if (!wrong) return "";
    const { field, label, limits } = wrong;
    return `The ${label} is ${field.value || "not a number"}; it must be from ${limits.min} to ${limits.max}.`;
  }

  function share(bar, value) {
    bar.style.setProperty("--share", Math.abs(value));
    bar.classList.toggle("negative", value < 0);
  }

  function update() {
    message.textContent = complaint();
    results.classList.toggle("stale", message.textContent !== "");
    for (const { field } of [...logits, temperature]) field.setAttribute("aria-invalid", !field.validity.valid);
    if (message.textContent) return;
    for (const each of [...logits, temperature]) each.follow();
    const x = logits.map(({ field }) => field.valueAsNumber);
    const T = temperature.field.valueAsNumber;
    const t = targets.findIndex((radio) => radio.checked);

    show(loss, softmaxRow.crossEntropy(x, t, T));
    const logs = softmaxRow.logSoftmax(x, T);
    const slopes = softmaxRow.crossEntropyGradient(x, t, T);
    softmaxRow.softmax(x, T).forEach((p, j) => {
      show(probabilities.cells[j], p);
      share(probabilities.bars[j], p);
      show(logProbabilities[j], logs[j]);
      show(gradient.cells[j], slopes[j]);
      share(gradient.bars[j], slopes[j] * T);
    });
    const J = softmaxRow.jacobian(x, T);
    const largest = Math.max(...J.flat());
    J.forEach((row, i) => {
      row.forEach((value, j) => {
        show(matrix[i][j], value);
        share(matrix[i][j], largest && value / largest);
      });
      const sum = row.reduce((total, value) => total + value, 0);
      show(sums[i], sum, shortenedSum(sum));
    });
    const options = `temperature=${T}`;
    code.textContent = `import softgrad as sg

x = [${x.join(", ")}]
p = sg.softmax(x, ${options})
log_p = sg.log_softmax(x, ${options})
loss, gradient = sg.cross_entropy.value_and_grad(x, ${t}, ${options})
jacobian = sg.softmax.jacobian(x, ${options})
`;
  }

  const controls = element(
    "section",
    { class: "controls", "aria-label": "Logits, target and temperature" },
    table(
      "Logits x, and the class t that is the target",
      ["class", "slider", "logit", "target"],
      CLASSES.map((j) => [
        rowHeading(j),
        element("td", {}, logits[j].range),
        element("td", {}, logits[j].field),
        element("td", {}, targets[j]),
      ]),
    ),
    element("div", { class: "line" }, element("span", {}, "All logits"), ...SHIFTS.map(shiftButton)),
    element("div", { class: "line" }, element("span", {}, "Temperature T"), temperature.range, temperature.field),
    element("div", { class: "line" }, button("Start again", "start again", startAgain), message),
  );
  const results = element(
    "section",
    { class: "results", "aria-label": "Probabilities, loss, gradient and Jacobian" },
    element("p", {}, "Loss L = \u2212log p", element("sub", {}, "t"), " = ", loss),
    table(
      "Probabilities p = softmax(x / T), and the gradient of the loss, (p \u2212 y) / T",
      ["class", ["p", 2], "log p", ["\u2202L / \u2202x", 2]],
      CLASSES.map((j) => [
        rowHeading(j),
        barCell(probabilities.bars[j]),
        probabilities.cells[j],
        logProbabilities[j],
        barCell(gradient.bars[j]),
        gradient.cells[j],
      ]),
    ),
    table(
      "Jacobian of softmax: row i, column j has \u2202p\u1d62 / \u2202x\u2c7c",
      ["i \\ j", ...CLASSES.map(String), "sum"],
      CLASSES.map((i) => [rowHeading(i), ...matrix[i], sums[i]]),
    ),
    // Of this class are the blocks of code of the site, which have a button for copying.
    element("details", {}, element("summary", {}, "The same in Python"), element("div", { class: "highlight" }, code)),
  );
  document.getElementById("softmax-view").replaceChildren(controls, results);
  startAgain();
  update();
})();
