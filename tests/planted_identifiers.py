"""Invented records with planted identifiers, in two halves of formats: patterns are written against the first alone.

Every name, number and address is made up by a random generator. A format says how a record may carry an identifier;
`{name}` and the like stand for it, everything else is harmless text that must stay.
"""

import random
import re
from dataclasses import dataclass

DEVELOPMENT = {
    "number": [
        "身份证号：{identity}，",
        "身份证{identity}。",
        "住院号{letter_digits}，",
        "门诊号 {digits8}，",
        "病历号：{digits8}。",
        "医保卡号 {digits19}，",
        "护照{passport}，",
        "就诊卡号：{digits10}；",
        "病案号{digits6}，",
        "登记号：{letter_digits}，",
        "ID号：{digits8}，",
        "社保卡号：{digits9}，",
        "银行卡{digits19}，",
    ],
    "contact": [
        "电话{mobile}，",
        "联系电话：{mobile_spaced}，",
        "手机号{mobile_dashed}。",
        "座机{landline}，",
        "（{mobile}）",
        "邮箱{email}，",
        "微信号{wechat}，",
        "QQ {digits9}，",
        "微信：{wechat}。",
        "tel:{mobile}，",
        "家里电话{landline_plain}。",
    ],
    "name": [
        "患者{name}，女，45岁，",
        "患者：{name}，男，",
        "姓名 {name} 性别女，",
        "姓名：{name}，",
        "其女{name}陪同来诊，",
        "由其子{name}代诉，",
        "主治医师{name}查房，",
        "{name}，男，60岁，",
        "{mou}，女，38岁，",
        "患者{mou}因失眠来诊。",
        "{name}主任医师会诊，",
        "请{name}教授指导，",
        "{surname}医生建议复查。",
        "联系人：{name}，",
        "{name}女士，",
        "其母{name}诉，",
        "患儿{name}，男，5岁，",
    ],
    "address": [
        "住{province}{city}{district}{street}{n}号院{n}单元{n}02，",
        "家住{city}{district}{road}{n}号，",
        "住址：{province}{city}{district}{road}{n}号{n}栋{n}01室，",
        "地址：{district}{street}{n}号，",
        "现住{county}{town}{village}，",
        "户籍：{province}{county}{town}，",
        "来自{province}{city}，",
        "系{province}{county}人，",
        "居住于{road}{n}弄{n}号{n}03室，",
    ],
    "organisation": [
        "在{hospital}就诊，",
        "就诊于{hospital}，",
        "曾至{hospital}查胃镜，",
        "工作于{company}，",
        "于{hospital}住院治疗，",
        "工作单位：{company}，",
        "就职于{company}，",
        "{hospital}诊断为胃炎。",
        "就读于{school}，",
        "转{hospital}治疗，",
    ],
    "date": [
        "{year}年{m}月{d}日初诊，",
        "{year}-{m}-{d}复诊，",
        "{yy}/{mm}/{dd}就诊，",
        "{m}月{d}日发热，",
        "就诊日期：{year}.{mm}.{dd}，",
        "末次月经{year}年{m}月{d}日，",
        "{year}/{m}/{d}查血常规，",
        "{m}月{d}号起咳嗽，",
        "{year}年{m}月起病，",
        "出生日期：{year}年{m}月{d}日，",
    ],
}

HELD_OUT = {
    "number": [
        "证件号码：{identity}，",
        "身份证号码 {identity}，",
        "住院号:{digits8}，",
        "病案号为{digits10}。",
        "影像号：{letter_digits}，",
        "医保号：{digits10}，",
        "社会保障号{identity}，",
        "护照号码：{passport}，",
        "门诊病历号{digits8}；",
        "No.{digits8}，",
        "健康卡号：{digits19}，",
        "检查号 {letter_digits}。",
        "条形码号{digits10}，",
    ],
    "contact": [
        "手机：{mobile}；",
        "致电{mobile_spaced}，",
        "电话：+86 {mobile}，",
        "电话号码{landline}，",
        "E-mail：{email}，",
        "加微信{wechat}，",
        "QQ号：{digits9}。",
        "请拨{mobile_dashed}，",
        "家属手机{mobile}，",
        "（电话 {landline}）",
        "WeChat: {wechat}，",
    ],
    "name": [
        "病人{name}，男，52岁，",
        "病员姓名：{name}；",
        "患者姓名{name}，",
        "{name}（女，33岁），",
        "其夫{name}代述，",
        "女儿{name}陪诊，",
        "经治医师：{name}，",
        "责任护士{name}，",
        "{name}先生，",
        "{name}，女，汉族，",
        "{mou}，男，42岁，公司职员，",
        "{surname}某因外感发热，",
        "{surname}主任查房后，",
        "签名：{name}。",
        "家属{name}要求出院，",
        "随{name}老师门诊，",
        "产妇{name}，29岁，",
    ],
    "address": [
        "家庭住址：{city}{district}{road}{n}号，",
        "居住地址 {province}{city}{district}{street}，",
        "住{district}{road}{n}号{n}楼，",
        "籍贯：{province}{city}，",
        "现居{city}{district}，",
        "通讯地址：{road}{n}号{n}幢{n}04，",
        "出生于{province}{city}，",
        "{province}{county}{town}{village}村民，",
        "联系地址{city}{road}{n}号，",
    ],
    "organisation": [
        "到{hospital}门诊，",
        "外院（{hospital}）检查示慢性胃炎，",
        "赴{hospital}求治，",
        "{hospital}胃镜示糜烂，",
        "供职于{company}，",
        "在{company}上班，",
        "单位：{company}，",
        "由{hospital}转来，",
        "在{school}读书，",
        "前往{hospital}行手术，",
    ],
    "date": [
        "于{year}年{m}月{d}日入院，",
        "初诊时间：{year}-{mm}-{dd}，",
        "{year}{mm}{dd}复查，",
        "LMP：{year}-{m}-{d}，",
        "{year}年{mm}月{dd}日手术，",
        "自{m}月{d}日起停药，",
        "（{year}-{m}-{d}）示正常，",
        "生于{year}年{m}月，",
        "{yy}.{mm}.{dd}来诊，",
        "于{year}年{m}月行手术，",
    ],
}
"""Written before any pattern was, and looked at by none."""

FURTHER = (
    "患儿[王小明]之母诉",
    "其外婆[刘芳]代诉",
    "[王]大爷，78岁",
    "[张三丰]，汉族，已婚",
    "家住[大连路]，",
    "单位：[市一中]，",
    "经朋友介绍找到[张]医生",
    "[李建国]，65岁，退休工人",
    "[欧阳修远] 男 45岁",
    "病历摘要：[周某]，",
    "患者[孙XX]，女",
    "患者[Wang Li]，女",
    "身份证尾号[1234]，",
    "邮编[100032]，",
    "[二月初三]发病",
    "在[北大医院]就诊",
    "[301医院]诊断",
    "[市立医院]门诊",
    "我是[陈静]，今年",
    "[湖南长沙]人，",
    "籍贯[湖南长沙]，",
    "主诉：[刘某某]头痛3天",
    "患者 [陈 静] ，女",
    "姓名：[陈  静]",
    "姓 名：[陈静]",
    "患者，[陈静]，女，35岁",
    "[陈静] 女 35岁",
    "35岁女性患者[陈静]因失眠",
    "患者[陈静]，近日失眠",
    "孕妇[陈静]，",
    "患者本人[陈静]，",
    "（记录者：[陈静]）",
    "主任医师：[陈静]/",
    "[陈静]医师",
    "T:[13812345678]",
    "Tel [010 64371234]",
    "手机[138****5678]，",
    "[2023年11月]起",
    "[23年11月2日]",
    "[11/2]就诊",
    "[2023-11-02] 10:30",
    "12床[陈静]，",
    "住院号:[00-123456]",
    "就诊于[上海中医药大学附属龙华医院]",
    "转至[湘雅二院]，",
    "在[同济]查CT",
    "[北京市朝阳区]居民",
    "居住于[广州]，",
    "[上海市黄浦区]人",
    "[浦东新区张杨路500号]",
    "家庭住址 [河北省石家庄市长安区建华大街12号]",
    "丈夫[王强]体健",
    "其父[王强]已故",
    "儿子[王强]，10岁",
    "育有一子[王小宝]，",
    "抖音号 [abc12345]",
    "车牌号[京A12345]",
    "微信同手机号[13812345678]",
    "[陈]老师",
    "[陈]姐陪同",
    "[老陈]来诊",
    "患者[陈]女士",
    "[陈某某]之妻",
    "[李四光]，男，汉族",
    "患者[常某]，男",
    "患者[于某某]，女",
    "[张某]与其妻系夫妻",
    "[任某]，女",
)
"""A third list of looser wordings, written down once all patterns stood, the identifier in brackets. 45 of the 68 were
found then: what can be expected of wordings that nobody thought of. Patterns were mended by it since."""


HARMLESS = (
    "失眠3月，加重1周，多梦易醒。",
    "经期5天，周期28天，量少色淡。",
    "血压130/80mmHg，心率72次/分。",
    "病程2年，时轻时重。",
    "口苦咽干，胸胁胀满，不欲饮食。",
    "黄芪15g，白术10g，柴胡9g，王不留行10g，何首乌12g。",
    "服补中益气汤7剂后好转。",
    "大便日1次，小便黄。",
    "体温38.5℃，恶寒发热2天。",
    "立夏前后发作，半年来反复。",
    "既往高血压病史10年。",
    "当地医院治疗无效。",
    "舌红苔黄腻，脉弦滑。",
    "患者平素易怒，常于夜间发作。",
    "外院查血常规：白细胞12.5×10^9/L。",
    "每日1剂，水煎400mL，分2次温服。",
    "24 h尿蛋白1.2g。",
    "方用小柴胡汤加减，连服14剂。",
    "黄疸消退，白带正常。",
    "否认肝炎结核病史。",
)

_SURNAMES = (
    "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 袁 邓 许 傅 "
    "沈 曾 彭 吕 苏 卢 蒋 蔡 贾 丁 魏 薛 叶 阎 余 潘 杜 戴 夏 钟 汪 田 任 姜 范 方 石 姚 谭 廖 邹 熊 金 陆 郝 孔 "
    "白 崔 康 毛 邱 秦 江 史 顾 侯 邵 孟 龙 万 段 雷 钱 汤 尹 黎 易 常 武 乔 贺 赖 龚 文 欧阳 司马 上官 诸葛 东方 "
    "皇甫 尉迟 慕容 司徒 夏侯"
).split()
_GIVEN = (
    "丽 敏 强 伟 芳 娜 秀英 静 磊 洋 艳 勇 军 杰 娟 涛 明 超 秀兰 霞 平 刚 桂英 建国 卫东 小红 志强 晓燕 玉兰 "
    "雪梅 文博 子涵 梓萱 浩然 欣怡 国庆 淑珍 凤英 海燕 春生 德福 家豪 思远 雨桐 俊杰 立新 永康 美玲 佳琪 振华"
).split()
_PROVINCES = (
    "河北省 山西省 江苏省 浙江省 安徽省 福建省 江西省 山东省 河南省 湖北省 湖南省 广东省 四川省 贵州省 云南省 "
    "陕西省 甘肃省 辽宁省 吉林省 黑龙江省 广西壮族自治区"
).split()
_CITIES = (
    "石家庄市 太原市 南京市 苏州市 杭州市 宁波市 合肥市 福州市 南昌市 济南市 青岛市 郑州市 武汉市 长沙市 广州市 "
    "成都市 贵阳市 昆明市 西安市 兰州市 沈阳市 长春市 绵阳市 洛阳市"
).split()
_DISTRICTS = (
    "朝阳区 海淀区 新华区 鼓楼区 西湖区 江宁区 天河区 武侯区 雁塔区 和平区 市中区 高新区 裕华区 红谷滩区 越秀区 南山区"
).split()
_COUNTIES = (
    "清河县 平遥县 昆山市 桐庐县 太和县 德化县 宜丰县 曲阜市 登封市 秭归县 凤凰县 陆丰市 安岳县 织金县 腾冲市 蓝田县"
).split()
_STREETS = ("望京街道 长安街道 文晖街道 翠微街道 桂园街道 建国门街道 大同街道").split()
_ROADS = (
    "中山路 人民东路 解放大街 建设北路 长江大道 学院路 延安西路 文化巷 新街口南大街 幸福胡同 紫荆花路 东风二路"
).split()
_TOWNS = ("石桥镇 王家镇 大河乡 青山镇 建设镇 白马乡 龙门镇 黄花镇").split()
_VILLAGES = ("李家村 上河村 新立屯 杨庄村 东风村 南坪村").split()
_PLACES = ("华康 清平 安和 江宁 同德 北江 明州 长宁 滨河 南岭").split()
_HOSPITALS = (
    "{}市第一人民医院 {}医科大学附属医院 {}中医药大学第二附属医院 {}协和医院 {}县中医院 {}妇幼保健院 {}省人民医院 "
    "{}镇卫生院 {}区社区卫生服务中心 {}肿瘤医院 {}骨科医院"
).split()
_COMPANIES = ("{}技术有限公司 {}电子科技股份有限公司 {}建筑集团 {}纺织厂 {}市财政局 {}商业银行 {}物流公司").split()
_SCHOOLS = ("{}大学 {}市第三中学 {}实验小学 {}师范学院 {}职业技术学院").split()


@dataclass(frozen=True)
class Record:
    """A text and where its identifiers stand: (kind, first, end, format)."""

    text: str
    planted: tuple[tuple[str, int, int, str], ...]


def records(formats: dict[str, list[str]], number: int, seed: int = 0) -> list[Record]:
    """Invented records, each with one identifier of most kinds between harmless sentences.

    Args:
        formats: `DEVELOPMENT` or `HELD_OUT`.
    """
    rng = random.Random(seed)
    made = []
    for i in range(number):
        text, planted = "", []
        kinds = rng.sample(sorted(formats), 5)
        for kind in kinds:
            form = formats[kind][(i + rng.randrange(len(formats[kind]))) % len(formats[kind])]
            if form.startswith(("{name}", "{mou}", "{surname}", "{hospital}", "{province}")) and text:
                text = text.rstrip("，") + "。"
            text, spans = _planted(text, form, rng)
            planted += [(kind, first, end, form) for first, end in spans]
            text += rng.choice(HARMLESS)
        made.append(Record(text, tuple(planted)))
    return made


def _planted(text: str, form: str, rng: random.Random) -> tuple[str, list[tuple[int, int]]]:
    """A text with a format filled in, and the place of its identifier (from the first filled part to the last)."""
    first = end = None
    for part in re.split(r"(\{\w+\})", form):
        if part.startswith("{"):
            first = len(text) if first is None else first
            text += _value(part[1:-1], rng)
            end = len(text)
        else:
            text += part
    return text, [(first, end)]


def _value(name: str, rng: random.Random) -> str:
    digits = lambda n: "".join(rng.choice("0123456789") for _ in range(n))  # noqa: E731
    place, surname = rng.choice(_PLACES), rng.choice(_SURNAMES)
    mobile = f"1{rng.choice('3578')}{digits(9)}"
    year, month, day = rng.randint(1995, 2024), rng.randint(1, 12), rng.randint(1, 28)
    values = {
        "identity": f"{rng.randint(11, 65)}{digits(4)}19{rng.randint(40, 99)}0{rng.randint(1, 9)}{rng.randint(10, 28)}"
        f"{digits(3)}{rng.choice('0123456789X')}",
        "letter_digits": rng.choice("ABDZ") + digits(rng.choice([6, 7, 8])),
        "passport": rng.choice("EG") + digits(8),
        "mobile": mobile,
        "mobile_spaced": f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}",
        "mobile_dashed": f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}",
        "landline": f"0{rng.choice(['10', '21', '571', '755', '311'])}-{rng.randint(2, 8)}{digits(7)}",
        "landline_plain": f"{rng.randint(2, 8)}{digits(7)}",
        "email": f"{rng.choice(['zhang', 'lin', 'wei88', 'ma.li'])}{digits(2)}@mail.example.com",
        "wechat": f"{rng.choice(['wx_', 'li', 'hello-'])}{rng.choice(['mei', 'zhang', 'tom'])}{digits(3)}",
        "name": surname + rng.choice(_GIVEN),
        "surname": surname,
        "mou": surname + rng.choice(["某", "某某", "某"]),
        "province": rng.choice(_PROVINCES),
        "city": rng.choice(_CITIES),
        "district": rng.choice(_DISTRICTS),
        "county": rng.choice(_COUNTIES),
        "street": rng.choice(_STREETS),
        "road": rng.choice(_ROADS),
        "town": rng.choice(_TOWNS),
        "village": rng.choice(_VILLAGES),
        "n": str(rng.randint(1, 30)),
        "hospital": rng.choice(_HOSPITALS).format(place),
        "company": rng.choice(_COMPANIES).format(place),
        "school": rng.choice(_SCHOOLS).format(place),
        "year": str(year),
        "yy": str(rng.randint(18, 24)),
        "m": str(month),
        "d": str(day),
        "mm": f"{month:02}",
        "dd": f"{day:02}",
    }
    return digits(int(name[6:])) if name.startswith("digits") else values[name]


def further() -> list[Record]:
    """The records of `FURTHER`."""
    made = []
    for form in FURTHER:
        first, end = form.index("["), form.index("]") - 1
        made.append(Record(form.replace("[", "").replace("]", ""), (("further", first, end, form),)))
    return made


def covered(record: Record, spans: list[tuple[int, int]]) -> list[bool]:
    """Whether each planted identifier lies wholly inside masked spans (what is left of it in part counts as missed)."""
    masked = {i for first, end in spans for i in range(first, end)}
    return [set(range(first, end)) <= masked for _, first, end, _ in record.planted]


def hits(record: Record, spans: list[tuple[int, int]]) -> list[bool]:
    """Whether each masked span touches a planted identifier."""
    return [any(a < end and first < b for _, first, end, _ in record.planted) for a, b in spans]
