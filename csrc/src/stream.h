// A layer one step at a time: the time loop over one step, again and again, with packed weights and a state that stay
// where they are.
#pragma once

#include <vector>

#include "forward.h"

namespace longshort::LONGSHORT_ISA {

template <class T, class CellT, class P>
class CellStream final : public Stream<T> {
 public:
  CellStream(const Part& part, const Weights<T>& weights, Zoneout<T> zoneout)
      : part_(part),
        peepholes_(weights.peephole, weights.peephole + CellT::peepholes * part.hidden),
        weights_(weights),
        h_(part.batch * part.output()),
        c_(CellT::memory ? part.batch * part.hidden : 0),
        h_zone_(zoneout.h != 0 ? part.output() : 0, zoneout.h),
        c_zone_(zoneout.c != 0 ? part.hidden : 0, zoneout.c),
        input_{{nullptr, 0, part.input}, h_.data(), c_.data(), nullptr, everywhere(h_zone_), everywhere(c_zone_)},
        output_{{nullptr, 0, part.output()}, h_.data(), c_.data()},
        team_(make_team<T, CellT>(part_)),
        forward_(part_, weights_, input_, output_, team_, nullptr) {
    forward_.pack(0);
    // Of all weights only the peepholes are read where they stand; the caller's others may go.
    weights_ = {};
    weights_.peephole = peepholes_.data();
  }

  void step(const T* x, T* y) override {
    FlushDenormals flush;
    input_.x.data = x;
    output_.y.data = y;
    forward_.run(0);
  }

  void read(T* h, T* c) const override {
    std::copy(h_.begin(), h_.end(), h);
    std::copy(c_.begin(), c_.end(), c);
  }

  void write(const T* h, const T* c) override {
    std::copy_n(h, h_.size(), h_.data());
    std::copy_n(c, c_.size(), c_.data());
    forward_.start();
  }

 private:
  // A row for all sequences, none if it is empty.
  static Sequences<const T> everywhere(const std::vector<T>& row) { return {row.empty() ? nullptr : row.data(), 0, 0}; }

  const Part part_;
  const std::vector<T> peepholes_;
  Weights<T> weights_;
  std::vector<T> h_, c_;
  const std::vector<T> h_zone_, c_zone_;
  Input<T> input_;
  Output<T> output_;
  Team team_;
  Forward<T, CellT, P> forward_;  // which looks at all of these
};

}  // namespace longshort::LONGSHORT_ISA
