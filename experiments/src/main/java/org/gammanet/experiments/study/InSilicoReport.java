package org.gammanet.experiments.study;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.gammanet.experiments.Mode;
import org.gammanet.experiments.responses.State;
import org.gammanet.experiments.responses.SteadyState;
import org.gammanet.figures.Axis;
import org.gammanet.figures.Figure;
import org.gammanet.figures.HtmlReport;
import org.gammanet.figures.Plot;
import org.gammanet.figures.Style;
import org.gammanet.kernels.Precision;

/** Writes the report and the figures of a run from its results. */
record InSilicoReport(
    Study study,
    Settings settings,
    Preparation preparation,
    List<Experiment<?>> experiments,
    boolean withControls) {

  void write() throws IOException {
    ObjectNode metadata = study.metadata();
    String network = metadata.path("network").path("checkpoint").asText();
    var report = new HtmlReport("In silico physiology of " + preparation.layer());
    report.lead(
        "%s of %s experiments on %s: %s channels, %s timesteps, images of %s × %s px%s.%s"
            .formatted(
                settings.mode() == Mode.OWN
                    ? "Results"
                    : "Results, computed as the original computes them,",
                experiments.size(),
                preparation.layer(),
                preparation.channels(),
                preparation.timesteps(),
                preparation.size(),
                preparation.size(),
                preparation.precision() == Precision.BFLOAT16
                    ? "; products of values rounded to bfloat16"
                    : "",
                network.isEmpty() ? "" : " Network: " + network + "."));
    if (!preparation.trained()) {
      report.warning(
          "The network is untrained: its weights are random. The numbers and figures below show how"
              + " the experiments work and say nothing about physiology.");
    }
    List<String> marks = new ArrayList<>();
    if (!preparation.trained()) {
      marks.add("untrained network: random weights");
    }
    if (metadata.has(InSilico.STEADY_STATE)) {
      SteadyState rests = Json.read(metadata.path(InSilico.STEADY_STATE), SteadyState.class);
      if (!rests.steady()) {
        report.warning(
            rests.sentence()
                + " Measures after its "
                + preparation.timesteps()
                + " timesteps are those of a transient.");
        marks.add("no steady state within %s timesteps".formatted(rests.timesteps()));
      }
    }
    String footer = String.join("; ", marks);
    if (metadata.path(Protocol.KEY).has("verdict")) {
      Protocol.addTo(report, metadata.path(Protocol.KEY));
    }
    overview(report, footer);
    if (withControls) {
      ControlComparison.addTo(
          report, InSilico.byKey(study, experiments), InSilico.primary(experiments));
    }
    TestsOverUnits.addTo(report, InSilico.byKey(study, experiments));
    for (Experiment<?> e : experiments) {
      ObjectNode result = (ObjectNode) study.results().path(e.key());
      report.section(e.description().title());
      report.text(e.description().about());
      if (!e.description().literature().isEmpty()) {
        report.text(e.description().literature());
      }
      String own =
          Stream.of(ControlComparison.footer(result, e.description().primary()), footer)
              .filter(line -> !line.isEmpty())
              .collect(Collectors.joining("\n"));
      Findings.addTo(report, result, own);
      for (FigureSpec figure : Findings.figures(result)) {
        study.write(figure.name(), figure.draw(own));
      }
    }
    report.section("Parameters");
    Map<String, String> values = new LinkedHashMap<>();
    metadata
        .path("network")
        .fields()
        .forEachRemaining(
            f -> {
              if (f.getValue().isValueNode() && f.getValue().asText().length() < 200) {
                values.put(f.getKey().replace('_', ' '), f.getValue().asText());
              }
            });
    values.put("digest of the weights", metadata.path("weights_sha256").asText());
    values.put(
        "recorded states", preparation.states().stream().map(State::word).toList().toString());
    String degrees = Format.number(preparation.size() / settings.pixelsPerDegree());
    values.put(
        "image",
        "%s × %s px, %s × %s deg at %s px/deg"
            .formatted(
                preparation.size(),
                preparation.size(),
                degrees,
                degrees,
                Format.number(settings.pixelsPerDegree())));
    if (preparation.fieldDiameter() > 0) {
      values.put("feed-forward receptive field", preparation.fieldDiameter() + " px");
    }
    metadata
        .path("settings")
        .fields()
        .forEachRemaining(
            f -> {
              if (!f.getValue().isNull()) {
                values.put(f.getKey().replace('_', ' '), Json.text(f.getValue()));
              }
            });
    values.put("java", metadata.path("java").asText());
    values.put("started", metadata.path("timestamp").asText());
    report.values(values);
    report.text(InSilico.CONVENTION);
    report.text(
        "Units are the channels of the layer at the image's center unless stated otherwise. The"
            + " network is deterministic: intervals and tests are over units of one network, which"
            + " are not independent of each other. The response to a blank is subtracted from all"
            + " responses.");
    report.text(
        "All numbers, and the network's configuration, are in %s; the tables *_units.csv have a row per unit, population and timestep, the tables *_figures.csv the numbers of each figure."
            .formatted(study.file().getFileName()));
    report.footer(
        "GammaNet %s, Java %s"
            .formatted(
                metadata.path("network").path("version").asText("(version unknown)"),
                metadata.path("java").asText()));
    study.write(report);
  }

  /** One figure of all experiments: a panel of each that has one, and a table. */
  private void overview(HtmlReport report, String footer) throws IOException {
    List<Panel> panels = new ArrayList<>();
    List<Series> dynamics = new ArrayList<>();
    List<List<String>> rows = new ArrayList<>();
    for (Experiment<?> e : experiments) {
      ObjectNode result = (ObjectNode) study.results().path(e.key());
      Panel panel = Findings.overviewPanel(result);
      if (panel != null) {
        panels.add(panel.moved(panels.size() / 3, panels.size() % 3));
      }
      Series series = Findings.overviewDynamics(result);
      if (series != null) {
        dynamics.add(series.style(Style.series(dynamics.size()).label(series.name())));
      }
      Findings.highlights(result).forEach((label, text) -> rows.add(List.of(label, text)));
    }
    if (panels.size() < 2) {
      return;
    }
    int last = (panels.size() + 2) / 3;
    Figure figure = new Figure(16, 4 * (last + 1)).letters();
    if (!footer.isEmpty()) {
      figure.footer(footer);
    }
    panels.forEach(p -> p.drawIn(figure));
    if (!dynamics.isEmpty()) {
      Panel.at(last, 0, "dynamics")
          .span(2)
          .title("Indices over time")
          .axes(InSilico.steps(preparation.timesteps()), Axis.linear("Index"))
          .horizontal(0)
          .legend(Plot.Legend.OUTSIDE)
          .add(dynamics)
          .drawIn(figure);
    }
    figure.panel(last, 2).title("Summary").table(rows);
    study.write("insilico_summary", figure);
    report.section("Summary");
    report.figure(
        figure,
        "All experiments. Means over units, or over stimuli for the tilt illusion, with bootstrap"
            + " intervals of 95 %; details below.");
  }
}
