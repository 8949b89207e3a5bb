package org.gammanet.model;

import java.util.List;
import org.gammanet.torch.Ops;
import org.gammanet.torch.Tensor;

/** Segments that are not cells. */
final class Segments {
  private Segments() {}

  interface Body {
    Tensor[] forward(ForwardContext context, Tensor[] inputs);
  }

  interface Unary {
    Tensor forward(ForwardContext context, Tensor x);
  }

  private record Simple(String name, List<Parameter> parameters, Body body) implements Segment {
    @Override
    public Tensor[] forward(ForwardContext context, Tensor... inputs) {
      return body.forward(context, inputs);
    }
  }

  static Segment of(String name, List<Parameter> parameters, Body body) {
    return new Simple(name, parameters, body);
  }

  /** A function of one signal. */
  static Segment unary(String name, List<Parameter> parameters, Unary body) {
    return new Simple(name, parameters, (context, x) -> new Tensor[] {body.forward(context, x[0])});
  }

  /** The sum of two signals. */
  static final Segment ADD =
      of("add", List.of(), (context, x) -> new Tensor[] {Ops.add(x[0], x[1])});

  /** The same signal under another name. */
  static final Segment SAME = unary("same", List.of(), (context, x) -> x.alias());

  /** 2x2 pooling. */
  static final Segment POOL = unary("pool", List.of(), (context, x) -> Ops.maxPool2d(x, 2, 2));
}
