// The simulated NCCL keeps the rules of the real one, those above all that a mistake would break.
#include <gtest/gtest.h>
#include <nccl.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/fakes/cuda/card.h"

namespace baton::fake_cuda {
namespace {

// Read when the first call asks for a card.
[[maybe_unused]] const int two_cards = setenv("BATON_FAKE_CUDA_DEVICES", "2", 1);

ncclResult_t Wait(ncclComm_t comm) {
  ncclResult_t state = ncclInProgress;
  while (state == ncclInProgress) {
    EXPECT_EQ(ncclCommGetAsyncError(comm, &state), ncclSuccess);
    std::this_thread::yield();
  }
  return state;
}

constexpr size_t kCount = 100000;  // more than a socket holds

// A rank with its card, stream and memory: what it sends, and where it receives.
class Rank {
 public:
  Rank(int rank, int device) : rank_(rank), device_(device) {
    cudaSetDevice(device_);
    cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 2 * kCount * sizeof(float)), cudaSuccess);
    values_ = static_cast<float*>(memory);
    const std::vector<float> own(kCount, static_cast<float>(rank + 1));
    cudaMemcpyAsync(values_, own.data(), kCount * sizeof(float), cudaMemcpyHostToDevice, stream_);
    cudaStreamSynchronize(stream_);
  }
  ~Rank() {
    cudaSetDevice(device_);
    if (comm_ != nullptr) ncclCommAbort(comm_);
    cudaFree(values_);
    cudaStreamDestroy(stream_);
    cudaGetLastError();
  }

  void Begin(const ncclUniqueId& id) {
    cudaSetDevice(device_);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    EXPECT_EQ(ncclCommInitRankConfig(&comm_, 2, id, rank_, &config), ncclInProgress);
  }
  ncclResult_t Swap(size_t send, size_t receive) {
    cudaSetDevice(device_);
    ncclGroupStart();
    ncclResult_t result = ncclSend(values_, send, ncclFloat32, 1 - rank_, comm_, stream_);
    if (result == ncclSuccess) {
      result = ncclRecv(values_ + kCount, receive, ncclFloat32, 1 - rank_, comm_, stream_);
    }
    const ncclResult_t ended = ncclGroupEnd();
    return result == ncclSuccess ? ended : result;
  }
  std::vector<float> Received() {
    cudaSetDevice(device_);
    std::vector<float> got(kCount);
    cudaMemcpyAsync(got.data(), values_ + kCount, kCount * sizeof(float), cudaMemcpyDeviceToHost,
                    stream_);
    return got;
  }
  cudaError_t Query() {
    const cudaError_t result = cudaStreamQuery(stream_);
    cudaGetLastError();
    return result;
  }
  void Abort() {
    ncclCommAbort(comm_);
    comm_ = nullptr;
  }
  ncclComm_t comm() const { return comm_; }

 private:
  const int rank_, device_;
  cudaStream_t stream_ = nullptr;
  float* values_ = nullptr;
  ncclComm_t comm_ = nullptr;
};

class FakeNcclTest : public ::testing::Test {
 protected:
  void Join() {
    ncclGetUniqueId(&id_);
    first_.Begin(id_);
    second_.Begin(id_);
    ASSERT_EQ(Wait(first_.comm()), ncclSuccess);
    ASSERT_EQ(Wait(second_.comm()), ncclSuccess);
  }

  ncclUniqueId id_{};
  Rank first_{0, 0}, second_{1, 1};
};

TEST_F(FakeNcclTest, ValuesGoBothWaysInOrder) {
  Join();
  for (int round = 0; round < 5; ++round) {
    for (Rank* rank : {&first_, &second_}) {
      const ncclResult_t result = rank->Swap(kCount, kCount);
      EXPECT_TRUE(result == ncclSuccess || result == ncclInProgress);
      EXPECT_EQ(Wait(rank->comm()), ncclSuccess);
    }
    // Each waits for the other's.
    std::thread other([&] { EXPECT_EQ(second_.Received(), std::vector<float>(kCount, 1)); });
    EXPECT_EQ(first_.Received(), std::vector<float>(kCount, 2));
    other.join();
  }
}

TEST_F(FakeNcclTest, ACommunicatorWaitsForAllRanks) {
  ncclGetUniqueId(&id_);
  first_.Begin(id_);
  for (int i = 0; i < 1000; ++i) {
    ncclResult_t state = ncclSuccess;
    EXPECT_EQ(ncclCommGetAsyncError(first_.comm(), &state), ncclSuccess);
    EXPECT_EQ(state, ncclInProgress);
    std::this_thread::yield();
  }
  // Not to be used before.
  EXPECT_EQ(first_.Swap(1, 1), ncclInvalidArgument);
  first_.Abort();
}

TEST_F(FakeNcclTest, TwoRanksOnOneCardAreRefused) {
  Rank third(1, 0);
  ncclGetUniqueId(&id_);
  first_.Begin(id_);
  third.Begin(id_);
  EXPECT_EQ(Wait(first_.comm()), ncclInvalidUsage);
  EXPECT_EQ(Wait(third.comm()), ncclInvalidUsage);
}

TEST_F(FakeNcclTest, APeersEndIsNotHeardAndAnAbortEndsTheWait) {
  Join();
  first_.Swap(kCount, kCount);
  EXPECT_EQ(Wait(first_.comm()), ncclSuccess);
  second_.Abort();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(first_.Query(), cudaErrorNotReady);
    std::this_thread::yield();
  }
  EXPECT_EQ(Wait(first_.comm()), ncclSuccess);
  first_.Abort();
  first_.Query();
  EXPECT_EQ(first_.Query(), cudaSuccess);
}

using FakeNcclDeathTest = FakeNcclTest;

TEST_F(FakeNcclDeathTest, CountsThatDifferEndTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Join();
        first_.Swap(10, 10);
        second_.Swap(10, 11);
        Wait(first_.comm());
        Wait(second_.comm());
        std::thread other([&] { second_.Received(); });
        first_.Received();
        other.join();
      },
      "a send of 10 floats meets a receive of 11");
}

TEST_F(FakeNcclDeathTest, ACommunicatorIsNotUsedAfterItsEnd) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Join();
        ncclComm_t comm = first_.comm();
        first_.Abort();
        ncclResult_t state;
        ncclCommGetAsyncError(comm, &state);
      },
      "none, or no more");
}

}  // namespace
}  // namespace baton::fake_cuda
