"""What invented people and companies are called, in Japanese and in other languages; all combinations are made up."""

from __future__ import annotations

from typing import Final

FAMILY_JA: Final = (
    ("佐藤", "サトウ", "sato"), ("鈴木", "スズキ", "suzuki"), ("高橋", "タカハシ", "takahashi"),
    ("田中", "タナカ", "tanaka"), ("伊藤", "イトウ", "ito"), ("渡辺", "ワタナベ", "watanabe"),
    ("渡邉", "ワタナベ", "watanabe"), ("中村", "ナカムラ", "nakamura"), ("小林", "コバヤシ", "kobayashi"),
    ("加藤", "カトウ", "kato"), ("吉田", "ヨシダ", "yoshida"), ("山本", "ヤマモト", "yamamoto"),
    ("斎藤", "サイトウ", "saito"), ("齋藤", "サイトウ", "saito"), ("松本", "マツモト", "matsumoto"),
    ("井上", "イノウエ", "inoue"), ("木村", "キムラ", "kimura"), ("林", "ハヤシ", "hayashi"),
    ("清水", "シミズ", "shimizu"), ("山崎", "ヤマザキ", "yamazaki"), ("森", "モリ", "mori"),
    ("池田", "イケダ", "ikeda"), ("橋本", "ハシモト", "hashimoto"), ("阿部", "アベ", "abe"),
    ("石川", "イシカワ", "ishikawa"), ("前田", "マエダ", "maeda"), ("藤田", "フジタ", "fujita"),
    ("小川", "オガワ", "ogawa"), ("後藤", "ゴトウ", "goto"), ("岡田", "オカダ", "okada"),
    ("長谷川", "ハセガワ", "hasegawa"), ("村上", "ムラカミ", "murakami"), ("近藤", "コンドウ", "kondo"),
    ("石井", "イシイ", "ishii"), ("坂本", "サカモト", "sakamoto"), ("遠藤", "エンドウ", "endo"),
    ("青木", "アオキ", "aoki"), ("藤井", "フジイ", "fujii"), ("西村", "ニシムラ", "nishimura"),
    ("福田", "フクダ", "fukuda"), ("太田", "オオタ", "ota"), ("三浦", "ミウラ", "miura"),
    ("岡本", "オカモト", "okamoto"), ("松田", "マツダ", "matsuda"), ("中川", "ナカガワ", "nakagawa"),
    ("髙田", "タカダ", "takada"), ("原田", "ハラダ", "harada"), ("竹内", "タケウチ", "takeuchi"),
)  # fmt: skip
"""Written, in katakana, in letters."""

GIVEN_JA: Final = (
    ("健太", "ケンタ", "kenta"), ("翔太", "ショウタ", "shota"), ("大輔", "ダイスケ", "daisuke"),
    ("直樹", "ナオキ", "naoki"), ("誠", "マコト", "makoto"), ("浩", "ヒロシ", "hiroshi"),
    ("裕子", "ユウコ", "yuko"), ("美咲", "ミサキ", "misaki"), ("陽子", "ヨウコ", "yoko"),
    ("恵", "メグミ", "megumi"), ("真由美", "マユミ", "mayumi"), ("香織", "カオリ", "kaori"),
    ("拓也", "タクヤ", "takuya"), ("和也", "カズヤ", "kazuya"), ("剛", "ツヨシ", "tsuyoshi"),
    ("達也", "タツヤ", "tatsuya"), ("愛", "アイ", "ai"), ("彩", "アヤ", "aya"),
    ("優子", "ユウコ", "yuko"), ("智子", "トモコ", "tomoko"), ("洋平", "ヨウヘイ", "yohei"),
    ("亮", "リョウ", "ryo"), ("聡", "サトシ", "satoshi"), ("隆", "タカシ", "takashi"),
    ("由美", "ユミ", "yumi"), ("千尋", "チヒロ", "chihiro"), ("さくら", "サクラ", "sakura"),
    ("蓮", "レン", "ren"), ("悠斗", "ユウト", "yuto"), ("結衣", "ユイ", "yui"),
    ("修", "オサム", "osamu"), ("学", "マナブ", "manabu"), ("純一", "ジュンイチ", "junichi"),
    ("麻衣", "マイ", "mai"), ("玲奈", "レナ", "rena"), ("圭介", "ケイスケ", "keisuke"),
)  # fmt: skip

FAMILY_INT: Final = (
    "Hartwell", "Lindqvist", "Okafor", "Moreau", "Castellan", "Brandt", "Novak", "Fitzroy", "Delacroix", "Sandoval",
    "Whitcombe", "Aldridge", "Kowalczyk", "Ferreira", "Bianchi", "Haugen", "Van Dorn", "Schreiber", "O'Malley",
    "Petrov", "Rahman", "Chaudhary", "Nguyen", "Tran", "Park", "Choi", "Lim", "Tanaka-Reed", "Müller", "Sørensen",
    "García", "Peña", "Dubois", "Keller", "Marchetti", "Osei", "Mbeki", "Iyer", "Raman", "Cohen", "Ashworth", "Blake",
    "Carver", "Dunmore", "Ellery", "Farrow", "Granger", "Holloway", "Ingram", "Jessop", "Kendrick", "Lathrop",
)  # fmt: skip
GIVEN_INT: Final = (
    "Alice", "Benoît", "Carla", "Daniel", "Elena", "Farid", "Grace", "Henrik", "Ines", "Jonas", "Katarzyna", "Liam",
    "Maya", "Noah", "Olga", "Pedro", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Victor", "Wendy", "Xavier", "Yara",
    "Zoltan", "Amélie", "Bruno", "Chloe", "Dmitri", "Esther", "Felix", "Gita", "Hugo", "Isabel", "Jürgen",
)  # fmt: skip

STEMS_JA: Final = (
    ("青葉", "aoba"), ("みなと", "minato"), ("北斗", "hokuto"), ("若草", "wakakusa"), ("白鳥", "shiratori"),
    ("桜丘", "sakuragaoka"), ("千歳", "chitose"), ("朝日野", "asahino"), ("東雲", "shinonome"), ("八雲", "yakumo"),
    ("瑞穂野", "mizuhono"), ("緑川", "midorikawa"), ("暁", "akatsuki"), ("月島", "tsukishima"),
    ("星野台", "hoshinodai"),
    ("渚", "nagisa"), ("楓", "kaede"), ("銀河", "ginga"), ("富士見", "fujimi"), ("南風", "minakaze"),
    ("飛鳥", "asuka"), ("常盤", "tokiwa"), ("旭川原", "asahigawara"), ("雲海", "unkai"), ("春日", "kasuga"),
    ("光陽", "koyo"), ("鶴見野", "tsurumino"), ("双葉", "futaba"), ("明星", "myojo"), ("清流", "seiryu"),
    ("山吹", "yamabuki"), ("藤波", "fujinami"), ("高砂", "takasago"), ("松風", "matsukaze"), ("秋津", "akitsu"),
    ("大和田", "owada"), ("金峰", "kinpo"), ("紫雲", "shiun"), ("琥珀", "kohaku"), ("翡翠", "hisui"),
)  # fmt: skip
TRADES_JA: Final = (
    ("商事", "shoji", "Wholesale"), ("製作所", "works", "Manufacturing"), ("システムズ", "systems", "Software"),
    ("物流", "logistics", "Logistics"), ("電機", "denki", "Manufacturing"), ("工業", "kogyo", "Manufacturing"),
    ("食品", "foods", "Food"), ("印刷", "print", "Printing"), ("メディカル", "medical", "Healthcare"),
    ("不動産", "fudosan", "Real Estate"), ("化学", "kagaku", "Chemicals"), ("建設", "kensetsu", "Construction"),
    ("ソリューションズ", "solutions", "Software"), ("運輸", "unyu", "Logistics"),
    ("テクノロジーズ", "tech", "Software"),
    ("出版", "shuppan", "Media"), ("リテイル", "retail", "Retail"), ("人材", "jinzai", "Staffing"),
    ("精密", "seimitsu", "Manufacturing"), ("保険サービス", "hoken", "Insurance"),
)  # fmt: skip
PLACES_JA: Final = (
    ("", ""), ("東京", "tokyo"), ("大阪", "osaka"), ("名古屋", "nagoya"), ("福岡", "fukuoka"), ("札幌", "sapporo"),
    ("仙台", "sendai"), ("広島", "hiroshima"), ("横浜", "yokohama"), ("神戸", "kobe"), ("京都", "kyoto"),
    ("金沢", "kanazawa"), ("静岡", "shizuoka"), ("新潟", "niigata"), ("熊本", "kumamoto"), ("長野", "nagano"),
    ("岡山", "okayama"), ("高松", "takamatsu"), ("那覇", "naha"), ("千葉", "chiba"), ("川崎", "kawasaki"),
    ("浜松", "hamamatsu"),
)  # fmt: skip

STEMS_INT: Final = (
    "Northgate", "Bluepeak", "Harborline", "Silverfern", "Redmaple", "Ironwood", "Clearwater", "Stonebridge",
    "Larkspur",
    "Copperfield", "Brightwell", "Ashgrove", "Windmere", "Foxhollow", "Eastmoor", "Goldcrest", "Tidewater", "Oakhaven",
    "Summitvale", "Quarryside", "Riverton", "Thornbury", "Westlake", "Elmstead", "Fernhill", "Greystone", "Highmoor",
    "Juniper Bay", "Kestrel", "Lakeside", "Meridian Way", "Nightingale", "Orchard Row", "Pinecrest", "Rookwood",
    "Saltmarsh", "Timberline", "Umberland", "Valewood", "Wrenfield",
)  # fmt: skip
TRADES_INT: Final = (
    ("Logistics", "Logistics"), ("Software", "Software"), ("Foods", "Food"), ("Health", "Healthcare"),
    ("Industries", "Manufacturing"), ("Analytics", "Software"), ("Energy", "Energy"), ("Media", "Media"),
    ("Insurance", "Insurance"), ("Retail", "Retail"), ("Robotics", "Manufacturing"), ("Freight", "Logistics"),
    ("Staffing", "Staffing"), ("Builders", "Construction"), ("Chemicals", "Chemicals"), ("Education", "Education"),
    ("Payments", "Finance"), ("Textiles", "Manufacturing"), ("Aviation", "Transport"), ("Labs", "Research"),
)  # fmt: skip
MIDDLES_INT: Final = (
    "", "Atlantic", "Pacific", "Nordic", "Alpine", "Central", "Global", "Baltic", "Coastal", "Prairie", "Metro",
    "Union", "First", "Royal", "Pioneer", "Summit", "Delta", "Beacon", "Compass", "Keystone", "Vertex", "Harvest",
)  # fmt: skip
COUNTRIES: Final = (
    ("United States", "Inc.", "+1 555 01"), ("United Kingdom", "Ltd", "+44 20 7946 00"),
    ("Germany", "GmbH", "+49 30 23125 0"),
    ("France", "SAS", "+33 1 99 00 "), ("Singapore", "Pte. Ltd.", "+65 3158 00"),
    ("Australia", "Pty Ltd", "+61 2 5550 00"),
    ("Netherlands", "B.V.", "+31 20 799 88 "), ("Canada", "Corp.", "+1 604 555 01"),
)  # fmt: skip
"""Country, legal form, and the beginning of a telephone number kept for fiction (or an unassigned one)."""

TITLES_JA: Final = {
    "staff": ("担当", "主任", "係長", "スタッフ", "営業担当", "情報システム担当"),
    "manager": ("部長", "課長", "マネージャー", "営業部長", "情報システム部長", "マーケティング部 課長"),
    "director": ("取締役", "執行役員", "本部長", "執行役員 営業本部長"),
    "executive": ("代表取締役社長", "専務取締役", "最高技術責任者(CTO)"),
}
TITLES_INT: Final = {
    "staff": ("Marketing Specialist", "Analyst", "Operations Coordinator", "Engineer", "Buyer"),
    "manager": ("IT Manager", "Sales Manager", "Marketing Manager", "Operations Manager"),
    "director": ("Director of Operations", "VP Sales", "Director of IT", "Head of Marketing"),
    "executive": ("CEO", "CFO", "CTO", "Chief Operating Officer"),
}

FREE_MAIL_JA: Final = ("gmail.com", "yahoo.co.jp", "hotmail.co.jp", "icloud.com")
FREE_MAIL_INT: Final = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com")
ROLE_MAILBOXES: Final = ("info", "sales", "contact", "office")

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}


def full_width(text: str) -> str:
    """The text with its ASCII characters as wide as Japanese ones, as forms in Japan often receive them."""
    return text.translate(_FULL_WIDTH)
