"""Words of support cases that tell little of what a case is about, English and Indonesian, each as it is written."""

from __future__ import annotations

IN_EVERY_TEXT = """
a about after again all also am an and any are as at be because been before being between but by can cannot could
couldn did didn do does doesn doing don down during each even ever every few first for from get gets getting give
given go going got had has have having he her here him his how however i if in into is isn it its just keep last let
like made make many may me might more most much must my never new next no none nor not now of off ok okay old on once
one only onto or other our out over own per put quite rather re same say see seem seems several shall she should show
shows since so some still such sure take than that the their them then there these they thing things this those though
through thus till time times to too try trying two under until up upon us use used using very via want was wasn way we
well were what when where whether which while who whole why will with within without won would yes yet you your ada
adalah agar akan aku anda antara apa apakah apabila atas atau bagaimana bagi baik banyak baru bahwa beberapa begini
begitu belum benar berapa bersama besok bila bisa boleh buat bukan cara cukup dalam dan dapat dari dengan di dia dulu
hal hanya harus hingga ia ini itu iya jadi jam jangan jika juga kah kalau kali kami kamu kan karena ke kembali kemarin
kemudian ketika kita lagi lain lalu lebih lewat lupa maka mana masih mau melalui memang mereka minggu misal mungkin
nah namun nanti oleh orang pada paling para perlu pernah pun punya saat saja saling sama sampai sangat saya sebab
sebagai sebelum sedang segera sejak sekarang sekali sekitar selalu selama seluruh semua sendiri seperti sering serta
sesuai setelah setiap siapa suatu sudah supaya tadi tanpa tapi telah tentang terlalu terhadap ternyata terus tersebut
tetap tetapi tiap tiba tidak untuk waktu walaupun yaitu yang kok sih dong deh nih tuh loh ya dear hi hello hey team
greetings regards best kind sincerely thanks thank please kindly sorry appreciate appreciated morning afternoon
evening night sir madam mr mrs ms halo hai salam selamat pagi siang sore malam hormat yth bapak ibu pak bu kak kakak
mas mbak tim rekan terima kasih makasih trims mohon tolong maaf permisi bantu bantuan dibantu assalamualaikum wassalam
today yesterday tomorrow day days week weeks month months year years hour hours minute minutes hari bulan tahun menit
monday tuesday wednesday thursday friday saturday sunday senin selasa rabu kamis jumat sabtu january february march
april june july august september october november december rp idr usd sgd januari februari maret mei juni juli agustus
oktober desember fwd fw bls trs com co http https www id
"""
"""What holds sentences together, greetings and courtesies, days and months: two texts that share them share nothing."""

IN_ANY_CASE = """
error errors fail fails failed failing failure issue issues problem problems trouble bug broken crash wrong help
support assist ask question request need urgent asap priority ticket case check process fix fixed solve work works
working worked stop stopped unable able happen happened happening login log signin sign logout logged password reset
access account user users admin customer client company branch office system server app application site website web
page screen menu button feature product service data file files email mail message update updated upgrade version open
opened close load loading slow save click send sent receive print copy attach attached attachment screenshot invoice
invoices bill billing payment pay paid price quote contract renewal subscription training schedule schedul when
release demo meeting info information detail details amount due find pack plan confirm status follow number code name
date internet network browser phone gagal kendala masalah gangguan rusak salah eror macet tanya minta permintaan butuh
penting darurat tiket kasus proses jumlah periksa cek perbaiki selesai jalan berjalan berhenti muncul masuk keluar
sandi akses akun pengguna pelanggan perusahaan cabang kantor sistem aplikasi halaman layar tombol fitur produk layanan
berkas surel pesan pembaruan versi buka tutup muat lambat lemot simpan klik kirim terima cetak salin salinan lampir
lampiran terlampir tagihan faktur bayar pembayaran harga penawaran kontrak langganan pelatihan jadwal jadwalkan kapan
rilis rapat informasi konfirmasi nomor kode nama tanggal jaringan
"""
"""What any case is about: cases may agree in them, but that alone says nothing."""

ENGLISH = """
ekspor export impor import laporan report unduh download unggah upload unggahan upload dasbor dashboard eror error
galat error gagal fail pembaruan update perbarui update stok stock gudang warehouse sinkronisasi sync sinkron sync
kosong blank hilang missing ganda duplicate dobel duplicate dobl duplicate notifikasi notification integrasi
integration otomatis automatic tabel table grafik chart kuartal quarter saldo balance jurnal journal pajak tax gaji
salary slip payslip lambat slow lemot slow cetak print simpan save hapus delete layar screen putih white
karyawan employee pegawai employee
"""
"""Pairs: an Indonesian word, and the English one that says the same in the report of a bug."""
