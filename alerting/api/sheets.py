"""Tables for spreadsheets: CSV with a byte order mark (a spreadsheet takes Chinese for something else without it)."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from fastapi.responses import Response

from alerting.api import dto

Language = Literal["en", "zh"]
CSV: Final = "text/csv"
Column = tuple[str, str, Callable[[Any], object]]
"""Name in English, name in Chinese, and how a row is read."""


def sheet(columns: Sequence[Column], rows: Iterable[object], language: Language, name: str) -> Response:
    """Rows as a file to keep; the first line names the columns in one language."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([zh if language == "zh" else en for en, zh, _ in columns])
    writer.writerows([[_cell(read(row)) for _, _, read in columns] for row in rows])
    return Response(("\ufeff" + text.getvalue()).encode(), media_type=CSV, headers=attached(f"{name}.csv"))


def attached(name: str) -> Mapping[str, str]:
    """Headers of an answer that a browser keeps as a file."""
    return {"content-disposition": f'attachment; filename="{name}"'}


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return f"'{value}"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else value


def _zh(text: dto.Text | None) -> str:
    return "" if text is None else text.zh


def _en(text: dto.Text | None) -> str:
    return "" if text is None else text.en


_TERMS: Final[tuple[Column, ...]] = (
    ("owner_zh", "信息资源提供方", lambda row: _zh(row.terms.owner_name)),
    ("owner_en", "提供方英文名", lambda row: _en(row.terms.owner_name)),
    ("sharing", "共享类型代码", lambda row: row.terms.sharing),
    ("sharing_zh", "共享类型", lambda row: _zh(row.terms.sharing_name)),
    ("condition_zh", "共享条件", lambda row: _zh(row.terms.condition)),
    ("condition_en", "共享条件英文", lambda row: _en(row.terms.condition)),
    ("licence", "许可", lambda row: row.terms.licence),
)
_HELD: Final[tuple[Column, ...]] = (
    ("update_s", "更新周期（秒）", lambda row: row.update_s),
    ("begin", "数据起始时间", lambda row: row.begin),
    ("end", "数据终止时间", lambda row: row.end),
)
STATIONS: Final[tuple[Column, ...]] = (
    ("station", "站点编码", lambda row: row.id),
    ("name_zh", "站点名称", lambda row: row.name.zh),
    ("name_en", "站点英文名", lambda row: row.name.en),
    ("kind", "类别", lambda row: row.kind),
    ("town", "区划代码", lambda row: row.town),
    ("town_zh", "乡镇", lambda row: _zh(row.town_name)),
    ("lon", "经度", lambda row: row.lon),
    ("lat", "纬度", lambda row: row.lat),
    *_TERMS,
    ("contact", "联系人", lambda row: row.contact and row.contact.name),
    ("phone", "联系电话", lambda row: row.contact and row.contact.phone),
    ("email", "电子邮箱", lambda row: row.contact and row.contact.email),
    ("quantities", "信息项", lambda row: row.quantities),
    ("series", "序列数", lambda row: row.series),
    *_HELD,
    ("sample", "示例", lambda row: int(row.sample)),
)
SERIES: Final[tuple[Column, ...]] = (
    ("series", "序列编码", lambda row: row.id),
    ("station", "站点编码", lambda row: row.station),
    ("station_zh", "站点名称", lambda row: row.station_name.zh),
    ("station_en", "站点英文名", lambda row: row.station_name.en),
    ("town", "区划代码", lambda row: row.town),
    ("point", "测点", lambda row: row.point),
    ("quantity", "要素代码", lambda row: row.quantity),
    ("name_zh", "要素", lambda row: row.name.zh),
    ("name_en", "要素英文名", lambda row: row.name.en),
    ("unit", "单位", lambda row: row.unit),
    ("datum", "基面", lambda row: row.datum),
    ("derived", "推算", lambda row: int(row.derived)),
    *_TERMS,
    *_HELD,
)
RISKS: Final[tuple[Column, ...]] = (
    ("risk", "编号", lambda row: row.id),
    ("name_zh", "名称", lambda row: row.name.zh),
    ("name_en", "英文名", lambda row: row.name.en),
    ("kind", "类别代码", lambda row: row.kind),
    ("kind_zh", "类别", lambda row: row.kind_name.zh),
    ("about_zh", "说明", lambda row: _zh(row.about)),
    ("town", "区划代码", lambda row: row.town),
    ("town_zh", "乡镇", lambda row: _zh(row.town_name)),
    ("lon", "经度", lambda row: row.lon),
    ("lat", "纬度", lambda row: row.lat),
    ("responsible_zh", "责任单位", lambda row: _zh(row.responsible)),
    ("contact", "联系人", lambda row: row.contact.name),
    ("phone", "联系电话", lambda row: row.contact.phone),
    ("state", "监测状态代码", lambda row: row.state),
    ("state_zh", "监测状态", lambda row: row.state_name.zh),
    ("watchers", "监测站点", lambda row: [one.station for one in row.watchers]),
    ("unmet", "缺测要素", lambda row: row.unmet),
    ("unknown", "未接入", lambda row: row.unknown),
    ("sample", "示例", lambda row: int(row.sample)),
)
DAYS: Final[tuple[Column, ...]] = (
    ("day", "日期", lambda row: row.day),
    ("key", "编码", lambda row: row.key),
    ("name_zh", "名称", lambda row: row.name.zh),
    ("name_en", "英文名", lambda row: row.name.en),
    ("expected", "应到", lambda row: row.expected),
    ("received", "实到", lambda row: row.received),
    ("good", "有效", lambda row: row.good),
    ("timely", "及时", lambda row: row.timely),
    ("completeness", "完整率", lambda row: row.completeness),
    ("good_share", "有效率", lambda row: row.good_share),
    ("timeliness", "及时率", lambda row: row.timeliness),
)
