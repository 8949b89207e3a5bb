package org.gammanet.view;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.gammanet.GammaNet;
import org.gammanet.experiments.study.LesionedNetwork;
import org.gammanet.experiments.study.Preparation.Lesion;
import org.gammanet.model.CellSite;
import org.gammanet.model.Network;
import org.jspecify.annotations.Nullable;

/**
 * The networks that pages show: the caller's, and one of random weights with the first one's
 * configuration, which is made when it is first asked for. The worker's thread alone asks for them.
 */
final class Networks implements AutoCloseable {
  private static final String RANDOM = "random";

  private final Map<String, ViewedNetwork> given = new LinkedHashMap<>();
  private @Nullable ViewedNetwork random;

  /** The last lesions of each network, by its identifier: the next request is for the same. */
  private final Map<String, Lesioned> lesioned = new HashMap<>();

  private record Lesioned(Set<Lesion> lesions, LesionedNetwork network) {}

  Networks(List<ViewedNetwork> networks) {
    if (networks.isEmpty()) {
      throw new IllegalArgumentException("a page needs a network to show");
    }
    for (ViewedNetwork network : networks) {
      network.model().network().requiresGrad(false);
      if (given.put(network.id(), network) != null) {
        throw new IllegalArgumentException("two networks are called " + network.id());
      }
    }
  }

  ViewedNetwork get(String id) {
    ViewedNetwork network = given.get(id);
    if (network != null) {
      return network;
    }
    if (!id.equals(RANDOM)) {
      throw ViewException.bad("there is no network '%s' on this page".formatted(id));
    }
    ViewedNetwork untrained = random;
    if (untrained == null) {
      GammaNet first = given.values().iterator().next().model();
      GammaNet model =
          GammaNet.random(first.config(), first.config().seed(), first.network().device());
      model.network().requiresGrad(false);
      untrained = new ViewedNetwork(RANDOM, "random weights", model, false);
      random = untrained;
    }
    return untrained;
  }

  /** A network with lesions, until the next call for it with others. */
  LesionedNetwork lesioned(ViewedNetwork network, Set<Lesion> lesions) {
    Lesioned known = lesioned.get(network.id());
    if (known != null && known.lesions.equals(lesions)) {
      return known.network;
    }
    var made = new LesionedNetwork(network.model().network(), lesions);
    if (!lesions.isEmpty()) { // the intact one needs no copy
      if (known != null) {
        known.network.close();
      }
      lesioned.put(network.id(), new Lesioned(lesions, made));
    }
    return made;
  }

  /** What a page must know of the networks. */
  void describe(ArrayNode out) {
    given.values().forEach(network -> describe(network, out.addObject()));
    if (!given.containsKey(RANDOM)) {
      ObjectNode last = out.addObject();
      describe(given.values().iterator().next(), last);
      last.put("id", RANDOM).put("title", "random weights").put("trained", false);
    }
  }

  private static void describe(ViewedNetwork viewed, ObjectNode out) {
    Network network = viewed.model().network();
    out.put("id", viewed.id())
        .put("title", viewed.title())
        .put("trained", viewed.trained())
        .put("name", network.config().name())
        .put("timesteps", network.config().timesteps())
        .put("parameters", network.parameterCount());
    ArrayNode lesions = out.putArray("lesions");
    for (Lesion lesion : Lesion.values()) {
      if (LesionedNetwork.possible(network, lesion)) {
        lesions.add(lesion.name().toLowerCase(Locale.ROOT));
      }
    }
    ArrayNode sites = out.putArray("sites");
    for (CellSite site : network.sites()) {
      sites
          .addObject()
          .put("name", site.name())
          .put("level", site.level())
          .put("channels", site.cell().channels())
          .put("kernel", site.cell().kernelSize())
          .put("populations", site.cell().states())
          .put("feedback", site.block() == null);
    }
  }

  @Override
  public void close() {
    lesioned.values().forEach(known -> known.network.close());
    lesioned.clear();
    if (random != null) {
      random.model().close();
      random = null;
    }
  }
}
