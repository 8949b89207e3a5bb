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
    Tensor forward(Tensor x);
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
    return new Simple(name, parameters, (context, x) -> new Tensor[] {body.forward(x[0])});
  }

  /** The sum of two signals; nothing is worth storing or recomputing for it. */
  static final Segment ADD =
      new Segment() {
        @Override
        public String name() {
          return "add";
        }

        @Override
        public List<Parameter> parameters() {
          return List.of();
        }

        @Override
        public boolean worthRecomputing() {
          return false;
        }

        @Override
        public Tensor[] forward(ForwardContext context, Tensor... x) {
          return new Tensor[] {Ops.add(x[0], x[1])};
        }
      };

  /** The same signal under another name. */
  static final Segment SAME = unary("same", List.of(), Tensor::alias);
}
