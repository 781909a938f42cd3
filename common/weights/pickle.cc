#include "common/weights/pickle.h"

#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/printable.h"
#include "common/status.h"

namespace baton::weights {
namespace {

using Kind = PickleValue::Kind;

// Opcodes of pickletools.py, protocols 0 to 4.
enum Op : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kEmptyDict = '}',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

constexpr uint32_t kMarkOnStack = std::numeric_limits<uint32_t>::max();

class Machine {
 public:
  Machine(absl::string_view text, bool (*is_known)(absl::string_view))
      : text_(text), is_known_(is_known) {}

  absl::StatusOr<Pickle> Run() {
    while (true) {
      at_op_ = at_;
      BATON_ASSIGN_OR_RETURN(const uint64_t op, Number(1));
      if (op == kStop) break;
      BATON_RETURN_IF_ERROR(Step(static_cast<uint8_t>(op)));
    }
    BATON_ASSIGN_OR_RETURN(pickle_.root, Pop());
    pickle_.bytes = at_;
    return std::move(pickle_);
  }

 private:
  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("its pickle is damaged at byte ", at_op_, ": ", what));
  }

  // What the next `size` bytes are as a little-endian number.
  absl::StatusOr<uint64_t> Number(size_t size) {
    BATON_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(size));
    uint64_t number = 0;
    for (size_t i = size; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
    return number;
  }

  absl::StatusOr<absl::string_view> Take(uint64_t size) {
    if (size > text_.size() - at_) return Bad("it ends too soon");
    const absl::string_view bytes = text_.substr(at_, size);
    at_ += size;
    return bytes;
  }

  absl::StatusOr<absl::string_view> Line() {
    const size_t end = text_.find('\n', at_);
    if (end == absl::string_view::npos) return Bad("it ends too soon");
    const absl::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

  uint32_t Make(Kind kind, std::vector<uint32_t> items = {}) {
    pickle_.values.push_back({kind, 0, "", std::move(items)});
    return static_cast<uint32_t>(pickle_.values.size() - 1);
  }

  absl::Status Push(Kind kind, std::vector<uint32_t> items = {}) {
    stack_.push_back(Make(kind, std::move(items)));
    return absl::OkStatus();
  }

  absl::Status PushNumber(Kind kind, int64_t number) {
    stack_.push_back(Make(kind));
    pickle_.values.back().number = number;
    return absl::OkStatus();
  }

  absl::Status PushText(size_t length_bytes, Kind kind = Kind::kText) {
    BATON_ASSIGN_OR_RETURN(const uint64_t size, Number(length_bytes));
    BATON_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(size));
    stack_.push_back(Make(kind));
    pickle_.values.back().text = std::string(bytes);
    return absl::OkStatus();
  }

  absl::StatusOr<uint32_t> Pop() {
    if (stack_.empty() || stack_.back() == kMarkOnStack) return Bad("nothing to take");
    const uint32_t value = stack_.back();
    stack_.pop_back();
    return value;
  }

  // The value on top.
  absl::StatusOr<PickleValue*> Top(std::optional<Kind> kind = std::nullopt) {
    if (stack_.empty() || stack_.back() == kMarkOnStack) return Bad("nothing to look at");
    PickleValue* value = &pickle_.values[stack_.back()];
    if (kind && value->kind != *kind) return Bad("a value of another kind was to be changed");
    return value;
  }

  // All values above the last mark, which goes too.
  absl::StatusOr<std::vector<uint32_t>> PopToMark() {
    size_t mark = stack_.size();
    while (mark > 0 && stack_[mark - 1] != kMarkOnStack) --mark;
    if (mark == 0) return Bad("no mark before it");
    std::vector<uint32_t> items(stack_.begin() + static_cast<ptrdiff_t>(mark), stack_.end());
    stack_.resize(mark - 1);
    return items;
  }

  absl::Status PushTuple(size_t size) {
    std::vector<uint32_t> items(size);
    for (size_t i = size; i-- > 0;) {
      BATON_ASSIGN_OR_RETURN(items[i], Pop());
    }
    return Push(Kind::kTuple, std::move(items));
  }

  absl::Status PushGlobal(absl::string_view module, absl::string_view name) {
    const std::string global = absl::StrCat(module, ".", name);
    if (!is_known_(global)) {
      return absl::InvalidArgumentError(
          absl::StrCat("it would call ", Printable(global, 80), ", and nothing is called here"));
    }
    stack_.push_back(Make(Kind::kGlobal));
    pickle_.values.back().text = global;
    return absl::OkStatus();
  }

  absl::Status StackGlobal() {
    BATON_ASSIGN_OR_RETURN(const uint32_t name, Pop());
    BATON_ASSIGN_OR_RETURN(const uint32_t module, Pop());
    if (pickle_.at(name).kind != Kind::kText || pickle_.at(module).kind != Kind::kText) {
      return Bad("a global without a name");
    }
    return PushGlobal(std::string(pickle_.at(module).text), std::string(pickle_.at(name).text));
  }

  // A call of OrderedDict makes an empty one, which is filled later.
  absl::Status Reduce() {
    BATON_ASSIGN_OR_RETURN(const uint32_t arguments, Pop());
    BATON_ASSIGN_OR_RETURN(const uint32_t function, Pop());
    const PickleValue& called = pickle_.at(function);
    const PickleValue& with = pickle_.at(arguments);
    if (called.kind != Kind::kGlobal || with.kind != Kind::kTuple) return Bad("a call of nothing");
    if (called.text == "collections.OrderedDict") {
      if (!with.items.empty()) return Bad("an OrderedDict that is not empty at first");
      return Push(Kind::kDict);
    }
    return Push(Kind::kCall, {function, arguments});
  }

  // The state of an object: attributes of a state_dict, hooks of a parameter. None matters.
  absl::Status Build() {
    BATON_RETURN_IF_ERROR(Pop().status());
    BATON_ASSIGN_OR_RETURN(const PickleValue* object, Top());
    if (object->kind != Kind::kDict && object->kind != Kind::kCall)
      return Bad("state of no object");
    return absl::OkStatus();
  }

  absl::Status Add(std::vector<uint32_t> items, Kind kind) {
    if (kind == Kind::kDict && items.size() % 2 != 0) return Bad("a key without a value");
    BATON_ASSIGN_OR_RETURN(PickleValue * value, Top(kind));
    value->items.insert(value->items.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status AddOne(size_t count, Kind kind) {
    std::vector<uint32_t> items(count);
    for (size_t i = count; i-- > 0;) {
      BATON_ASSIGN_OR_RETURN(items[i], Pop());
    }
    return Add(std::move(items), kind);
  }

  absl::Status AddToMark(Kind kind) {
    BATON_ASSIGN_OR_RETURN(std::vector<uint32_t> items, PopToMark());
    return Add(std::move(items), kind);
  }

  absl::Status Put(absl::StatusOr<uint64_t> key) {
    BATON_RETURN_IF_ERROR(key.status());
    BATON_RETURN_IF_ERROR(Top().status());
    memo_[*key] = stack_.back();
    return absl::OkStatus();
  }

  absl::Status Get(absl::StatusOr<uint64_t> key) {
    BATON_RETURN_IF_ERROR(key.status());
    const auto it = memo_.find(*key);
    if (it == memo_.end()) return Bad("it gets what was never put");
    stack_.push_back(it->second);
    return absl::OkStatus();
  }

  absl::Status Long1() {
    BATON_ASSIGN_OR_RETURN(const uint64_t size, Number(1));
    BATON_ASSIGN_OR_RETURN(const absl::string_view bytes, Take(size));
    if (size > 8) {
      stack_.push_back(Make(Kind::kLong));
      pickle_.values.back().text = std::string(bytes);
      return absl::OkStatus();
    }
    uint64_t number = size > 0 && (bytes[size - 1] & 0x80) != 0 ? ~uint64_t{0} : 0;
    for (size_t i = size; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
    return PushNumber(Kind::kInt, static_cast<int64_t>(number));
  }

  absl::Status PushInt(size_t bytes) {
    BATON_ASSIGN_OR_RETURN(const uint64_t number, Number(bytes));
    return PushNumber(Kind::kInt, bytes == 4 ? static_cast<int32_t>(static_cast<uint32_t>(number))
                                             : static_cast<int64_t>(number));
  }

  absl::Status Outside() {
    BATON_ASSIGN_OR_RETURN(const uint32_t id, Pop());
    return Push(Kind::kOutside, {id});
  }

  absl::Status GlobalOfLines() {
    BATON_ASSIGN_OR_RETURN(const absl::string_view module, Line());
    BATON_ASSIGN_OR_RETURN(const absl::string_view name, Line());
    return PushGlobal(module, name);
  }

  absl::Status Step(uint8_t op) {
    switch (op) {
      case kProto:
        return Number(1).status();
      case kFrame:
        return Number(8).status();
      case kNone:
        return Push(Kind::kNone);
      case kNewTrue:
        return PushNumber(Kind::kBool, 1);
      case kNewFalse:
        return PushNumber(Kind::kBool, 0);
      case kBinInt:
        return PushInt(4);
      case kBinInt1:
        return PushInt(1);
      case kBinInt2:
        return PushInt(2);
      case kLong1:
        return Long1();
      case kBinFloat:
        BATON_RETURN_IF_ERROR(Number(8).status());
        return Push(Kind::kFloat);
      case kBinUnicode:
      case kBinString:
      case kBinBytes:
        return PushText(4);
      case kShortBinUnicode:
      case kShortBinString:
      case kShortBinBytes:
        return PushText(1);
      default:
        return StepOnStack(op);
    }
  }

  // Those that work on what is there already.
  absl::Status StepOnStack(uint8_t op) {
    switch (op) {
      case kMark:
        stack_.push_back(kMarkOnStack);
        return absl::OkStatus();
      case kPop:
        return Pop().status();
      case kPopMark:
        return PopToMark().status();
      case kEmptyTuple:
        return Push(Kind::kTuple);
      case kEmptyList:
        return Push(Kind::kList);
      case kEmptyDict:
        return Push(Kind::kDict);
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return PushTuple(op - kTuple1 + size_t{1});
      case kTuple: {
        BATON_ASSIGN_OR_RETURN(std::vector<uint32_t> items, PopToMark());
        return Push(Kind::kTuple, std::move(items));
      }
      case kAppend:
        return AddOne(1, Kind::kList);
      case kSetItem:
        return AddOne(2, Kind::kDict);
      case kAppends:
        return AddToMark(Kind::kList);
      case kSetItems:
        return AddToMark(Kind::kDict);
      case kBinPut:
        return Put(Number(1));
      case kLongBinPut:
        return Put(Number(4));
      case kMemoize:
        return Put(uint64_t{memo_.size()});
      case kBinGet:
        return Get(Number(1));
      case kLongBinGet:
        return Get(Number(4));
      case kGlobal:
        return GlobalOfLines();
      case kStackGlobal:
        return StackGlobal();
      case kReduce:
        return Reduce();
      case kBuild:
        return Build();
      case kBinPersId:
        return Outside();
      default:
        return absl::InvalidArgumentError(absl::StrFormat(
            "its pickle has the operation 0x%02x at byte %d, which no table of tensors needs", op,
            at_op_));
    }
  }

  const absl::string_view text_;
  bool (*const is_known_)(absl::string_view);
  size_t at_ = 0;
  size_t at_op_ = 0;
  Pickle pickle_;
  std::vector<uint32_t> stack_;
  std::map<uint64_t, uint32_t> memo_;
};

}  // namespace

absl::StatusOr<Pickle> ReadPickle(absl::string_view text, bool (*is_known)(absl::string_view)) {
  return Machine(text, is_known).Run();
}

}  // namespace baton::weights
