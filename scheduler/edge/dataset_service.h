// proto DataSets: the names that data was pushed under.
#pragma once

#include <memory>

#include "scheduler/edge/parts.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace baton::edge {

class DataSetService {
 public:
  // Outlives the service.
  explicit DataSetService(const Parts& parts);
  ~DataSetService();

  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace baton::edge
