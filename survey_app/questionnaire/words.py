"""What citizens and codebooks read about answers: one table of messages, one of missing codes.

A message says what to do, never what went wrong inside.
"""

from collections.abc import Mapping

from survey_app.questionnaire.model import Item, Text

MISSING_LABELS: Mapping[int, Text] = {
    -1: {"vi": "Không hỏi (theo đường dẫn câu hỏi)", "en": "Not asked (routing)"},
    -2: {"vi": "Không áp dụng", "en": "Not applicable"},
    -3: {"vi": "Không trả lời", "en": "Declined"},
    -4: {"vi": "Bỏ dở giữa chừng", "en": "Broken off"},
    -5: {"vi": "Không thuộc phần được chọn", "en": "Not drawn (another part of the form)"},
}

_ASK_STAFF = {
    "vi": "Phiếu này không gửi được. Xin Ông/Bà báo nhân viên.",
    "en": "This form could not be sent. Please tell a member of staff.",
}
_ANSWER_AGAIN = {
    "vi": "Xin Ông/Bà trả lời lại câu này.",
    "en": "Please answer this question again.",
}
_BY_CODE: Mapping[str, Text] = {
    "not_asked": {
        "vi": "Câu này không cần trả lời. Xin chọn Tiếp tục.",
        "en": "This question needs no answer. Please choose Continue.",
    },
    "not_applicable": {"vi": "Xin chọn một câu trả lời khác.", "en": "Please choose another answer."},
    "not_declinable": {"vi": "Xin chọn một câu trả lời.", "en": "Please choose an answer."},
    "bad_value": _ANSWER_AGAIN,
    "unknown_field": {"vi": "Xin chọn một lĩnh vực trong danh sách.", "en": "Please choose a service from the list."},
}
_CHOOSE = {"vi": "Xin chọn một câu trả lời", "en": "Please choose an answer"}
_CHOOSE_SOME = {"vi": "Xin chọn ít nhất một câu trả lời", "en": "Please choose at least one answer"}
_CHOOSE_AMONG = {
    "vi": "Xin chọn một hoặc nhiều câu trả lời, hoặc chỉ chọn Không trả lời.",
    "en": "Please choose one or more answers, or only “I would rather not answer”.",
}
_WRITE = {"vi": "Xin viết câu trả lời", "en": "Please write an answer"}
_OR_DECLINE = {"vi": ", hoặc chọn Không trả lời.", "en": ", or choose “I would rather not answer”."}
_STOP = {"vi": ".", "en": "."}


def message(code: str, item: Item | None) -> Text:
    """The sentence for a problem's code, fitted to the item it concerns."""
    if item is None:
        return _ASK_STAFF
    if code in ("missing", "empty"):
        return _joined(_ask(item), _OR_DECLINE if item.decline else _STOP)
    if code == "bad_value" and item.kind == "number":
        return _joined(_ask(item), _STOP)
    if code == "bad_value" and item.kind == "choices" and item.decline:
        return _CHOOSE_AMONG
    if code == "too_long":
        most = f"{item.max_length or 0:,}"
        return {
            "vi": f"Xin viết ngắn hơn: nhiều nhất {most.replace(',', '.')} ký tự.",
            "en": f"Please write less: at most {most} characters.",
        }
    return _BY_CODE.get(code, _ASK_STAFF)


def _ask(item: Item) -> Text:
    if item.kind == "number":
        return {
            "vi": f"Xin nhập một số từ {item.minimum} đến {item.maximum}",
            "en": f"Please enter a number from {item.minimum} to {item.maximum}",
        }
    return {"choices": _CHOOSE_SOME, "text": _WRITE}.get(item.kind, _CHOOSE)


def _joined(first: Text, second: Text) -> Text:
    return {language: first[language] + second[language] for language in first}
